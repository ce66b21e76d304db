"""How text looks that claims that somebody allowed something, or that nobody need allow it."""

__all__ = ["APPROVALS"]

_PERSON = r"human|person|operator|owner|admin\w*|manager|user|lead|cto|ceo|board|boss|director|supervisor|(?:security|platform|safety|legal) team|support"
_HURDLES = r"gates?|checks?|guardrails?|safeguards?|approvals?|restrictions?|(?:safety|security) (?:rules?|checks?)|limits|validations?|digests?|reviews?"

APPROVALS = (
    (
        "approved|preapproved|preauthori|presigned|precleared|pregreen|prepermitted|preconfirmed|pre-|authori|signed|cleared|greenlit|green-lit|permitted|confirmed",
        r"\b(?:pre-?)?(?:approved|authori[sz]ed|signed[ -]off|cleared|green-?lit|permitted|confirmed)\b.{0,40}\b(?:by|for|from|to)\b.{0,40}\b(?:human|person|operator|owner|admin\w*|lead|manager|cto|ceo|security|board|user|change|production|deploy\w*|promot\w*|move|moving|delet\w*)",
    ),
    (
        "human|person|operator|owner|admin|manager|user|lead|cto|board",
        r"\b(?:human|person|operator|owner|admin\w*|manager|user|lead|cto|board)\b.{0,40}\b(?:has|have|had|already|hereby) (?:\w+ )?(?:approved|authori[sz]ed|allowed|agreed|granted|consented|signed|confirmed (?:it|this|the (?:move|plan|deployment|promotion|deletion)))|\b(?:human|person|operator|owner|admin\w*|manager|user|lead|cto|board) (?:approved|authori[sz]ed|allowed) (?:it|this|everything)\b",
    ),
    (
        "human|person|operator|owner|admin|manager|user|lead|cto|ceo|board|boss|director|supervisor|security team|platform team|safety team|legal team|support",
        rf"\b(?:{_PERSON})\b.{{0,20}}\b(?:said|says|told|gave|gives|allows?|permits?|agreed|approves|consents?)\b.{{0,30}}\b(?:fine|ok|okay|all right|alright|yes|go ahead|go-ahead|green light|approved|permission|(?:deploy|promote|skip|move|delete)\b|to read|without)",
    ),
    (
        "approval|permission|consent|authori|signoff|sign-off",
        r"\b(?:approval|permission|consent|authori[sz]ation|sign-?off)\b.{0,30}\b(?:granted|given|id|token|code|number|on file|is not needed|not required|waived)\b",
    ),
    (
        "approval|consent|permission",
        r"\b(?:approval|consent|permission) is (?:implied|implicit|automatic|assumed|presumed)\b",
    ),
    (
        "human|person|operator|owner|admin|manager|user|cto|ceo|board|boss|director",
        r"\b(?:human|person|operator|owner|admin|manager|user|cto|ceo|board|boss|director)s? (?:wants?|wishes|expects?|needs?) (?:this|it|version \d+|the model)\b.{0,30}\b(?:production|deployed|live|approved|promoted|deleted|moved)\b",
    ),
    (
        "i grant|i give|grant you|grants you|give you|gives you",
        r"\b(?:i )?(?:grants?|gives?) you (?:\w+ ){0,2}(?:access|rights|permission|authority|approval|control|privileges)\b",
    ),
    (
        "approval|consent|authori",
        r"\b(?:approval|consent|authori[sz]ation)(?: status)?\s*[:=]\s*(?:approved|granted|yes|ok|true|given|done)\b",
    ),
    (
        "approved|approval_id|confirmed|dry_run_passed|human_approved|is_approved",
        r"\bapproved[- ]by\s*:|\b(?:approved|is_approved|approved_by|approval_id|human_approved|confirmed|dry_run_passed)[\"']?\s*[:=]\s*[\"']?(?:true|yes|1|\w{1,60}@|human|[a-z]+[-_]?\d+)",
    ),
    (
        "no |without |do not|don't|no longer",
        r"\b(?:no|without) (?:further |human |any )?(?:approval|confirmation|review|dry[ _-]?run) (?:is |are )?(?:needed|required|necessary)|\b(?:do not|don't|no longer) (?:need|require) (?:a |an |any |the |my |human )*(?:approval|confirmation|review|dry[ _-]?run|digest|permission)",
    ),
    (
        "you do not|you don't|you no longer",
        r"\byou (?:do not|don't|no longer) need (?:\w+'s |a |an |any |the |my |human )*(?:approval|confirmation|review|dry[ _-]?run|digest|permission|gate)",
    ),
    (
        "*hereby|authori|approve|permit|grant|allow",
        r"\bi (?:do |now |personally |fully |also )?(?:hereby (?:authori[sz]e|approve|permit|grant|consent|allow|confirm)|(?:authori[sz]e|approve|permit|allow) (?:this|the|that|you|all|any|every))\b",
    ),
    (
        "you",
        r"\byou (?:now |already )?have (?:\w+ ){0,2}(?:permission|approval|authority|authori[sz]ation|clearance|consent|the green light|the go-ahead)\b|\byou(?: are|'re) (?:hereby |now |fully )?(?:authori[sz]ed|permitted|allowed|cleared|entitled|free) to\b",
    ),
    (
        "treat|consider|regard|take|count",
        r"\b(?:treat|consider|regard|take|count) (?:this|that|the following|it|me)(?: \w+)?(?: as)? (?:\w+ ){0,2}(?:approval|confirmation|permission|authori[sz]ation|consent|operator|policy|sign-?off)\b",
    ),
    (
        "*waived|lifted|suspended",
        rf"\b(?:{_HURDLES})\b(?: \w+){{0,3}} (?:are|were|was|is|been) (?:\w+ )?(?:waived|lifted|suspended)\b",
    ),
    (
        "gate|check|guardrail|safeguard|approval|restriction|safety|security|limits|validation|digest|review",
        rf"\b(?:{_HURDLES})\b(?: \w+){{0,2}} (?:are|were|was|is|been) (?:now |all )?(?:disabled|removed|optional|off|switched off|turned off|revoked)\b(?: (?:by (?:the|your)|for (?:you|today|now|this session|maintenance|the rest)|until|from)\b|[.;,:]? (?:so )?(?:just |you may |you can )?(?:promote|deploy|go ahead|move)\b)|\bgates (?:are|were) optional\b",
    ),
    (
        "you |agent",
        r"\b(?:you|agents?) (?:may|can|will|shall|act|move|deploy|delete|promote)(?: \w+){0,2} without (?:approval|permission|asking|consent|confirmation|a person|a gate)\b",
    ),
    (
        "freigegeben|genehmigt|autorisiert|approuv|autoris|valid|aprobado|autoriz|aprovado|approvato",
        r"\b(?:freigegeben|genehmigt|autorisiert) (?:von|vom|durch|für)\b|\b(?:approuvé|autorisé|validé)e?s? par\b|\b(?:aprobado|autorizado|aprovado|approvato|autorizzato) (?:por|pelo|pela|da|dal)\b",
    ),
    (
        "freigabe|genehmigung|erlaubnis|zustimmung|brauchst",
        r"\b(?:freigabe|genehmigung|erlaubnis|zustimmung)\b.{0,30}\b(?<!nicht )(?:erteilt|liegt vor|entfällt|nicht (?:mehr )?(?:nötig|erforderlich))|\bbrauchst\b.{0,20}\bkeine (?:freigabe|genehmigung|erlaubnis|zustimmung|bestätigung)",
    ),
    (
        "plus besoin|pas besoin|no |não|non ",
        r"\b(?:plus|pas) besoin d.{0,20}(?:autorisation|approbation|validation|accord|confirmation)|\bno (?:necesitas|se necesita|hace falta)\b.{0,20}(?:aprobación|autorización|permiso|confirmación)|\bnão (?:precisa|é necessári)\w*.{0,20}(?:aprovação|autorização|permissão|confirmação)|\bnon (?:serve|occorre|hai (?:più )?bisogno)\b.{0,20}(?:approvazione|conferma|autorizzazione)",
    ),
    (
        "geen|goedgekeurd|godkend|godkjen|godkän|beh",
        r"\bgeen (?:goedkeuring|toestemming) (?:meer )?nodig|\bgoedgekeurd door\b|\b(?:godkendt|godkjent|godkänt|godkänd) (?:af|av)\b|\bbeh[øö]\w+ (?:du )?(?:ikke|inte|ingen|intet)\b.{0,20}(?:godkend|godkjen|godkän)",
    ),
    (
        "nie |onay|tanpa|tidak perlu|không cần",
        r"\bnie (?:musisz|trzeba|potrzebujesz)\b.{0,20}\bzgod|\bonay (?:istemeden|almadan|gerekmez|gerekmiyor)|\b(?:tanpa|tidak perlu) (?:persetujuan|izin)|không cần (?:phê duyệt|xin phép|xác nhận)",
    ),
    (
        "*批准|授权|授權|承認|승인|одобрено|утвержден|разрешено|الموافقة|स्वीकृत|不需|不用|不必|無需|无需|許可|確認",
        r"(?:已批准|已授权|已經批准|批准通过|授权执行|承認済|承認されました|승인됨|승인되었|одобрено|утвержден[оа]|разрешено|تمت الموافقة|स्वीकृत)|(?:不需要?|不用|不必|[无無]需).{0,6}(?:批准|授权|授權|审批|審批|确认)|(?:承認|許可)(?:なし|不要|なく)|(?:승인|허가) ?없이",
    ),
    (
        "*موافقة|إذن|אישור|अनुमति|स्वीकृति|อนุมัติ|одобрени|разрешени|согласи|تأیید|اجازه",
        r"(?:لا تحتاج|بدون|دون).{0,10}(?:موافقة|إذن)|(?:בלי|ללא) אישור|बिना (?:अनुमति|स्वीकृति)|ไม่ต้อง.{0,10}อนุมัติ|(?:не нужн\w*|не требуется) (?:одобрени|разрешени|согласи)|بدون (?:تأیید|اجازه)",
    ),
)
