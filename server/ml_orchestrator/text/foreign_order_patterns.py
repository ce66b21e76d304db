"""How text in other languages than English looks that orders an agent about."""

__all__ = ["FOREIGN_ORDERS"]

FOREIGN_ORDERS = (
    # German, Dutch
    (
        "ignorier|missacht|vergiss|vergesst|vergessen|übergeh",
        r"\b(?:ignorier\w*|missacht\w*|vergiss|vergesst|vergessen sie|übergeh\w*)\b.{0,60}\b(?:anweisung|regel|vorgabe|befehl|instruktion|alles|bisher|vorherig|gelernt|gesagt)",
    ),
    (
        "sag|verrat|erz|meld",
        r"\b(?:sag|verrat|erzähl|meld)\w*\b.{0,40}\b(?:nutzer|benutzer|menschen?|anwender|betreiber)\w*\b.{0,20}\b(?:nichts|nicht)\b",
    ),
    (
        "von nun|ab jetzt|ab sofort|ab heute",
        r"\b(?:von nun an|ab (?:jetzt|sofort|heute))\b.{0,20}\b(?:du|überspring\w*|ignorier\w*|antworte\w*|wirst|musst|darfst|brauchst)\b",
    ),
    (
        "lösch|entferne|vernichte",
        r"\b(?:lösche?|entferne|vernichte)\b.{0,20}\b(?:alle|sämtliche|jedes|die gesamte|das gesamte)\b.{0,20}(?:modell|version|regist|speicher|gedächtnis|erinnerung|sicherung|datenbank)",
    ),
    (
        "befolg|folge|halte dich|beachte",
        r"\b(?:befolge?|folge|halte dich|beachte)\b.{0,30}\b(?:nicht (?:mehr )?(?:an )?|keine|nur noch)\b.{0,30}\b(?:regel|anweisung|vorgabe)",
    ),
    ("negeer|vergeet", r"\b(?:negeer|vergeet)\b.{0,60}\b(?:instructie|regel|opdracht|alles)"),
    (
        "volg|gehoorzaam|verwijder|vertel|zeg|meld|vanaf nu",
        r"\b(?:volg|gehoorzaam)\b.{0,30}\b(?:regels|instructies)\b.{0,10}\bniet\b|\bverwijder alle (?:modellen|versies|herinneringen|back-?ups)|\b(?:vertel|zeg|meld)\b.{0,30}\bgebruiker\b.{0,15}\bniets?\b|\bvanaf nu (?:hoef|moet|zul|ga) je\b",
    ),
    # French, Spanish, Portuguese, Italian
    (
        "ignore|oublie|ne tenez|fais abstraction",
        r"\b(?:ignore[zr]?|oublie[zr]?|ne tenez pas compte|fais abstraction)\b.{0,60}\b(?:instruction|consigne|règle|ordre|précédent|tout ce qui)",
    ),
    (
        "ne |n'|supprime|efface|détrui|à partir|désormais|dorénavant",
        r"\bn(?:e |')(?:sui[st]|suivez|respecte|respectez|obéis|tiens)\b (?:plus|pas|aucun)|\b(?:supprime|efface|détrui)[rstz]?z?\b.{0,12}\b(?:tous|toutes|chaque)\b.{0,12}(?:modèle|version|mémoire|registre|sauvegarde)|\b(?:à partir de maintenant|désormais|dorénavant)[\s,:]{1,3}(?:tu|vous|ignore|réponds)\b|\bne (?:dis|dites|parle|parlez|signale|signalez|mentionne)\b (?:rien|pas|jamais)\b.{0,30}(?:utilisateur|humain|responsable|opérateur)",
    ),
    (
        "ignora|ignore|olvid|haz caso|omite",
        r"\b(?:ignora|ignore|olvida|olvide|haz caso omiso|omite)\b.{0,60}\b(?:instruccion|instrucción|regla|orden|anterior|todo lo)",
    ),
    (
        "no |borra|elimina|a partir de ahora",
        r"\bno (?:sigas|obedezcas|hagas caso)\b|\b(?:borra|elimina)\b.{0,10}\b(?:todos|todas|cada)\b.{0,12}(?:modelo|versi|memoria|registro|copia)|\bno (?:le |les |lo )?(?:digas|informes|avises|menciones)\b.{0,30}(?:usuario|humano|nadie|operador|responsable)|\ba partir de ahora[\s,:]{1,3}(?:tú|usted|debes|ignora|no (?:sigas|obedezcas|preguntes))\b",
    ),
    (
        "ignore|esque|esqueça|desconsidere",
        r"\b(?:ignore|esqueça|esquece|desconsidere)\b.{0,60}\b(?:instruç|regra|ordens|anterior|tudo)",
    ),
    (
        "não|apague|exclua",
        r"\bnão (?:siga|obedeça)\b|\b(?:apague|exclua)\b.{0,10}\b(?:todos|todas|cada)\b.{0,12}(?:modelo|vers|memória|registro)|\bnão (?:conte|diga|informe|avise)\b.{0,30}(?:usuário|utilizador|ninguém|operador)",
    ),
    (
        "ignora|dimentica|trascura",
        r"\b(?:ignora|dimentica|trascura)\b.{0,60}\b(?:istruzion|regol|ordini|precedent|tutto)",
    ),
    (
        "non |cancella|elimina|rimuovi",
        r"\bnon (?:seguire|obbedire|rispettare)\b.{0,20}(?:regol|istruzion|ordini)|\b(?:cancella|elimina|rimuovi)\b.{0,10}\b(?:tutti|tutte|ogni)\b.{0,12}(?:modell|version|memori|registr|backup)|\bnon (?:dire|informare|avvisare)\b.{0,30}(?:utente|umano|nessuno|operatore)",
    ),
    # Danish, Norwegian, Swedish, Finnish
    (
        "ignor|glem|glöm|se bort|bortse|strunta",
        r"\b(?:ignor[eé]r(?:a)?|glem|glöm|se bort fra|bortse från|strunta i)\b.{0,60}(?:instruktion|instruks|regler|regel|anvisning|allt\b|alt (?:hvad|der|det|du))",
    ),
    (
        "fra nu|fra nå|från och|fremover|hädanefter",
        r"\b(?:fra nu af|fra nå av|från och med nu|fremover|hädanefter)\b,? (?:skal|ska|må|behøver|behöver|er|trenger) (?:du|ni|i)\b",
    ),
    (
        "slet|radera|ta bort|uden at|uten å|utan att|fortæl|fortell|berätta|sig|si|säg",
        r"\b(?:slett?|radera|ta bort) all[ea] (?:modell|version|minne)|\b(?:uden at spørge|uten å spørre|utan att fråga)|\b(?:sig|si|säg|fortæl|fortell|berätta)\b.{0,12}\b(?:ikke|inte|intet|inget|ingenting)\b.{0,20}(?:bruger|bruker|användar)",
    ),
    (
        "unohda|ohita|sivuuta|älä|poista kaikki",
        r"\b(?:unohda|ohita|sivuuta|älä noudata)\b.{0,50}(?:ohje|sään|määräy|käsky)|\bälä kerro\b.{0,20}käyttäj|\bpoista kaikki (?:mallit|versiot)",
    ),
    # Polish, Czech, Hungarian, Romanian, Turkish
    (
        "ignoruj|zignoruj|zapomnij|zapome|pomi",
        r"\b(?:zignoruj|zapomnij|pomiń|ignoruj|zapomeň)\b.{0,60}(?:instrukcj|polece|zasad|wszystk|pokyn|pravid|příkaz)",
    ),
    (
        "usuń|smaž|nie m|nie i|neříkej|od teraz|bez p",
        r"\busuń wszystkie (?:model|wersj)|\bsmaž všechny (?:model|verz)|\bnie (?:mów|informuj)\b.{0,20}użytkown|\bneříkej\b.{0,20}uživatel|\bod teraz (?:nie musisz|musisz|będziesz|jesteś)\b|\bbez pytania o zgodę",
    ),
    (
        "felejtsd|hagyd|uită|ignoră|șterge",
        r"\b(?:felejtsd el|hagyd figyelmen kívül)\b.{0,50}(?:utasítás|szabály|parancs)|\b(?:uită|ignoră)\b.{0,50}(?:instrucțiun|regul|ordin)|\bșterge toate (?:model|versiun)",
    ),
    (
        "önceki|yukarıdaki|tüm|bütün|kural|talimat|yönerge",
        r"(?:önceki|yukarıdaki|tüm|bütün).{0,40}(?:talimat|kural|yönerge).{0,30}(?:unut|yok say|görmezden)|\b(?:kural|talimat|yönerge)\w*.{0,10}(?:unut\b|yok say|görmezden gel)",
    ),
    (
        "kullanıcıya|tüm|bütün",
        r"\bkullanıcıya.{0,20}(?:söyleme|bildirme)|\b(?:tüm|bütün) modelleri sil",
    ),
    # Vietnamese, Indonesian, Swahili
    ("bỏ|quên", r"(?:bỏ qua|quên).{0,40}(?:hướng dẫn|chỉ dẫn|quy tắc|lệnh)"),
    ("xóa|đừng", r"xóa (?:tất cả|mọi).{0,10}mô hình|đừng (?:nói|báo).{0,15}người dùng"),
    (
        "abaikan|lupakan|jangan|hapus|futa|puuza|sahau",
        r"\b(?:abaikan|lupakan)\b.{0,40}(?:instruksi|perintah|aturan)|\bjangan (?:beri ?tahu|katakan|laporkan)\b.{0,20}pengguna|\bhapus semua model|\b(?:futa|puuza|sahau)\b.{0,30}(?:maagizo|sheria|maelekezo)",
    ),
    # Russian, Ukrainian, Greek
    (
        "*игнорир|забудь|обращай|ігнору|следуй",
        r"(?:игнорир|забудь|не обращай|не следуй|проигнорир|ігнору).{0,60}(?:инструкц|указани|правил|предыдущ|команд|сказано|інструкц|вказівк|попередн)",
    ),
    (
        "*сообщай|говори|рассказывай|кажи|повідомляй|удали|видали|отныне|этого момента",
        r"не (?:сообщай|говори|рассказывай|кажи|повідомляй).{0,30}(?:пользовател|человек|никому|оператор|користувач|людин|нікому)|(?:удали|сотри)\w{0,9} все (?:модел|верси|памят|резерв)|видали (?:всі|усі) (?:модел|версі)|(?:отныне|с этого момента),? ты",
    ),
    ("αγν|ξέχ", r"(?:αγνόησε|αγνοήστε|ξέχασε).{0,60}(?:οδηγί|εντολ|κανόν)"),
    # Chinese, Japanese, Korean, Thai
    (
        "*忽略|无视|無視|忘记|忘掉|理会|忽視",
        r"(?:忽略|无视|無視|忘记|忘掉|不要理会|忽視).{0,20}(?:指令|指示|规则|規則|提示|命令|上述|以上|之前|先前)",
    ),
    (
        "*不要告|不要通知|别告|删除|刪除|清空|从现在|從現在",
        r"(?:不要|别)(?:告诉|告訴|告知|通知)|(?:删除|刪除|清空)(?:所有|全部)的?(?:模型|版本|记忆|记录|数据库|資料庫)|[从從]现?現?在(?:开始|開始|起).{0,3}你",
    ),
    (
        "*無視|忘れ|従わ",
        r"(?:以前|これまで|上記|あなたの|システムの|前|すべて|全て).{0,20}(?:指示|命令|ルール|規則|プロンプト).{0,10}(?:無視|忘れ|従わ)",
    ),
    (
        "*言わない|伝えない|知らせない|報告しない|モデルを|今から",
        r"(?:言わない|伝えない|知らせない|報告しない)で|(?:すべて|全て|全部)のモデルを(?:削除|消)|今から(?:あなた|君)",
    ),
    (
        "*무시|잊",
        r"(?:이전|위의|모든|앞선|당신의|너의|시스템).{0,20}(?:지시|명령|규칙|프롬프트).{0,10}(?:무시|잊)",
    ),
    (
        "*알리지|말하지|모든 모델|모든 버전",
        r"(?:알리지|말하지) ?(?:마|말)|모든 (?:모델|버전)을 (?:삭제|지우)",
    ),
    (
        "*คำสั่ง|กฎ|คำแนะนำ|ข้อกำหนด|บอก|ลบ",
        r"(?:ละเว้น|ลืม|เพิกเฉย|ทำตาม|สนใจ|มองข้าม|ละเลย).{0,40}(?:คำสั่ง|กฎ|คำแนะนำ|ข้อกำหนด).{0,40}(?:ก่อน|ทั้งหมด|ระบบ|เดิม)|(?:อย่า|ห้าม|ไม่ต้อง)(?:ทำตาม|สนใจ).{0,20}(?:คำสั่ง|กฎ)|(?:อย่า|ห้าม)บอก.{0,10}ผู้ใช้|ลบ(?:โมเดล|แบบจำลอง).{0,10}ทั้งหมด",
    ),
    # Arabic, Hebrew, Persian, Urdu, Hindi, Bengali
    (
        "تجاهل|انس|اهمل|تجاوز",
        r"(?:تجاهل|انس|اهمل|تجاوز).{0,40}(?:تعليمات|التعليمات|أوامر|الأوامر|قواعد|القواعد|السابق)",
    ),
    (
        "احذف|لا تخبر",
        r"احذف (?:جميع|كل|كافة).{0,10}(?:النماذج|الإصدارات|الذاكرة)|لا تخبر",
    ),
    ("התעלמ|התעלם|שכח", r"(?:התעלם|התעלמי|שכח).{0,40}(?:הוראות|ההוראות|כללים|הקודמ)"),
    (
        "*תספר|נספר|תספר|לספר|תגיד|מחק",
        r"(?:אל|לא) (?:תספר|לספר|תגיד).{0,15}משתמש|מחק את כל המודלים",
    ),
    (
        "*نادیده|فراموش|نظر",
        r"(?:نادیده بگیر|فراموش کن).{0,40}|(?:دستور|قوانین).{0,40}(?:نادیده|فراموش)|(?:ہدایات|قواعد|احکامات).{0,40}نظر ?انداز",
    ),
    (
        "*अनदेखा|नज़रअंदाज़|भूल|उपेक्षा",
        r"(?:निर्देश|नियम|आदेश).{0,40}(?:अनदेखा|नज़रअंदाज़|भूल|उपेक्षा)|(?:अनदेखा|भूल).{0,30}(?:निर्देश|नियम)",
    ),
    ("*উপেক্ষা|ভুলে|অমান্য", r"(?:নির্দেশ|নিয়ম|আদেশ).{0,40}(?:উপেক্ষা|ভুলে|অমান্য)"),
)
