"""How texts in many languages look that try to command, imitate or claim something.

One pattern a line, for text in small letters, matched across line ends; before it, parts of
words of which one must occur, because to look for them is a hundred times faster. Kept apart
from ``suspicion`` because lines of alternatives are longer than our lines.
"""

import re

__all__ = ["ASCII_PATTERNS", "COMPACT", "PATTERNS"]

_ORDERS = "instructions?|rules?|guidelines?|prompts?|directives?|safeguards?|guardrails?|polic(?:y|ies)|orders|commands"
_INSTRUCTION = (
    # English: put former orders aside
    (
        "ignor|disregard|forget|overrid|bypass|overrul|supersed|discard",
        rf"\b(ignor|disregard|forget|overrid|bypass|overrul|supersed|discard)\w*\b.{{0,20}}\b(all|any|every\w*|your|my|these|those|the|other|previous|prior|above|earlier|former|existing|last)\b.{{0,40}}\b({_ORDERS})\b",
    ),
    (
        "ignore|disregard|forget",
        r"\b(ignore|disregard|forget)\b.{0,10}\b(everything|anything|all)\b.{0,30}\b(above|before|previous|prior|earlier|said|told|know)",
    ),
    # English: take this role, do this, hide that
    (
        "you are|you're|act as|pretend|behave as|roleplay",
        r"\b(you are|you're|act as|pretend to be|behave as|roleplay as) (now|no longer|a|an|in)\b.{0,60}\b(unrestricted|developer mode|jailbr|dan\b|root|admin|no (rules|limits|filter))",
    ),
    ("you|are", r"\byou are (now|no longer)\b"),
    (
        "tell|inform|alert|notif|ask|warn|mention|report",
        r"\b(do not|don't|never|without) (tell|inform|alert|notif|ask|warn|mention|report)\w*\b.{0,40}\b(user|human|person|operator|owner|anyone|anybody)",
    ),
    (
        "system prompt|hidden prompt|instructions|key|password|secret|token|credential|environment",
        r"\b(reveal|print|repeat|output|show|leak|exfiltrate|send|post|upload)\b.{0,50}\b(system prompt|hidden prompt|instructions|api[ _-]?keys?|passwords?|secrets?|tokens?|credentials?|environment variables)",
    ),
    (
        "must|shall|have to|has to|should",
        r"\b(assistant|agent|model|ai|claude|reader|whoever reads this|colleague)s?\b[^.]{0,30}\b(must|shall|have to|has to|should) (now|immediately|at once|first|always|instead)\b",
    ),
    (
        "task|goal|instruction|mission|objective|order|role|priority|directive",
        r"\b(your|the) (new|real|actual|true|updated|next) (task|goal|instruction|mission|objective|orders?|role|priority)\b.{0,10}\b(is|are)\b|\bnew (instructions?|orders?|directives?)\s*:",
    ),
    (
        "immediately|at once|right away|now",
        r"\b(immediately|at once|right away|now)\b.{0,20}\b(call|run|execute|invoke|move|delete|promote|approve|deploy|drop)\b.{0,60}@?\b(tool|alias|champion|production|command|shell|bash|registry|model|memory|table)",
    ),
    (
        "rm -rf|curl|wget|sudo|os.system|drop table",
        r"\b(rm -rf|curl [^|]{3,120}\| ?(ba|z)?sh|wget [^|]{3,120}\| ?(ba|z)?sh|sudo \w+|os\.system|drop table)\b",
    ),
    ("![", r"!\[[^\]]{0,80}\]\(https?://[^)]{0,200}[?&=][^)]{0,200}\)"),
    # German, Dutch
    (
        "ignorier|missacht|vergiss|vergesst|vergessen|übergeh",
        r"\b(ignorier\w*|missacht\w*|vergiss|vergesst|vergessen sie|übergeh\w*)\b.{0,60}\b(anweisung|regel|vorgabe|befehl|instruktion|alles|bisherig|vorherig)",
    ),
    ("negeer|vergeet", r"\b(negeer|vergeet)\b.{0,60}\b(instructie|regel|opdracht|alles)"),
    (
        "nutzer|mensch|anwender",
        r"\bsag\w*\b.{0,40}\b(nutzer|benutzer|menschen?|anwender)\w*\b.{0,20}\b(nichts|nicht)\b",
    ),
    # French, Spanish, Portuguese, Italian
    (
        "ignore|oublie|tenez|fais",
        r"\b(ignore[zr]?|oublie[zr]?|ne tenez pas compte|fais abstraction)\b.{0,60}\b(instruction|consigne|règle|ordre|précédent|tout ce qui)",
    ),
    (
        "ignor|olvid|haz|omite",
        r"\b(ignora|ignore|olvida|olvide|haz caso omiso|omite)\b.{0,60}\b(instruccion|instrucción|regla|orden|anterior|todo lo)",
    ),
    (
        "ignore|esque|esqueça|desconsidere",
        r"\b(ignore|esqueça|esquece|desconsidere)\b.{0,60}\b(instruç|regra|ordens|anterior|tudo)",
    ),
    (
        "ignora|dimentica|trascura",
        r"\b(ignora|dimentica|trascura)\b.{0,60}\b(istruzion|regol|ordini|precedent|tutto)",
    ),
    # Polish, Czech, Turkish, Swedish, Vietnamese, Indonesian
    (
        "ignoruj|zapomnij|pomiń",
        r"\b(zignoruj|zapomnij|pomiń|ignoruj)\b.{0,60}(instrukcj|polece|zasad|wszystk|pokyn|pravid)",
    ),
    (
        "talimat|kural|yönerge",
        r"(önceki|yukarıdaki|tüm|bütün).{0,40}(talimat|kural|yönerge).{0,30}(unut|yok say|görmezden)",
    ),
    ("ignorera|glöm", r"\b(ignorera|glöm)\b.{0,60}(instruktion|regler|allt)"),
    ("bỏ|quên", r"(bỏ qua|quên).{0,40}(hướng dẫn|chỉ dẫn|quy tắc|lệnh)"),
    ("abaikan|lupakan", r"\b(abaikan|lupakan)\b.{0,40}(instruksi|perintah|aturan)"),
    # Russian, Ukrainian, Greek
    (
        "игнорир|забудь|обращай|ігнору",
        r"(игнорир|забудь|забудьте|не обращай|проигнорир|ігнору|забудь).{0,60}(инструкц|указани|правил|предыдущ|команд|інструкц|вказівк|попередн)",
    ),
    ("αγν|ξέχ", r"(αγνόησε|αγνοήστε|ξέχασε).{0,60}(οδηγί|εντολ|κανόν)"),
    # Chinese, Japanese, Korean
    (
        "忽略|无视|無視|忘记|忘掉|理会|忽視",
        r"(忽略|无视|無視|忘记|忘掉|不要理会|忽視).{0,20}(指令|指示|规则|規則|提示|命令|上述|以上|之前|先前)",
    ),
    (
        "無視|忘れ|従わ",
        r"(以前|これまで|上記|前|すべて|全て).{0,20}(指示|命令|ルール|規則|プロンプト).{0,10}(無視|忘れ|従わ)",
    ),
    ("무시|잊", r"(이전|위의|모든|앞선).{0,20}(지시|명령|규칙|프롬프트).{0,10}(무시|잊)"),
    # Arabic, Hebrew, Persian, Hindi
    (
        "تجاهل|انس|اهمل|تجاوز",
        r"(تجاهل|انس|اهمل|تجاوز).{0,40}(تعليمات|التعليمات|أوامر|الأوامر|قواعد|القواعد|السابق)",
    ),
    ("התעלמ|התעלם|שכח", r"(התעלם|התעלמי|שכח).{0,40}(הוראות|ההוראות|כללים|הקודמ)"),
    ("نادیده|فراموش", r"(نادیده بگیر|فراموش کن).{0,40}|(دستور|قوانین).{0,40}(نادیده|فراموش)"),
    (
        "अनदेखा|नज़रअंदाज़|भूल|उपेक्षा",
        r"(निर्देश|नियम|आदेश).{0,40}(अनदेखा|नज़रअंदाज़|भूल|उपेक्षा)|(अनदेखा|भूल).{0,30}(निर्देश|नियम)",
    ),
)
_SYSTEM = (
    (
        "<",
        r"<\s*/?\s*(system|system-reminder|system_prompt|instructions?|assistant|human|user|admin|developer|s)\s*>",
    ),
    ("<|[inst]|[/inst]", r"<\|[a-z_ ]{2,30}\|>|\[/?inst\]|<</?sys>>|<\s*/?(start|end)_of_turn\s*>"),
    (
        "system|developer|assistant|human|admin|root",
        r"(?:^|\n)\s*[#*\[(> -]{0,6}(system|developer|assistant|human|admin|root)\s?(message|prompt|notice|override|note)?[\])*]{0,3}\s*:",
    ),
    ("role|author", r"[\"'](role|author)[\"']\s*:\s*[\"'](system|developer|assistant|tool)[\"']"),
    (
        "prompt|message|instruction|record|data|input",
        r"\b(begin|end|start) (of )?(system|developer|hidden|admin|stored|untrusted|user) (prompt|message|instructions?|records?|data|input)\b|--- ?(end of )?stored records",
    ),
    (
        "from|by",
        r"\b(message|notice|note|order|directive|word) (from|by) (the )?(system|anthropic|openai|developers?|administrators?|admin|security team|server itself)\b",
    ),
    (
        "system |maintenance |admin |developer |god ",
        r"\b(system|maintenance|admin|developer|god) (override|mode)\b",
    ),
)
_TOOL_CALL = (
    (
        "<",
        r"<\s*/?\s*(\w+:)?(function_calls?|invoke|tool_use|tool_call|tool_result|parameter|function_results?)\b",
    ),
    (
        "tool|function",
        r"[\"'](type|method)[\"']\s*:\s*[\"'](tool_use|tool_call|tool_result|function|function_call|tools/call)[\"']",
    ),
    (
        "\"arg|'arg|\"input|'input|\"param|'param",
        r"[\"'](tool|tool_name|name|function)[\"']\s*:\s*[\"'](mcp__[\w-]+|[a-z]+_[a-z_]+)[\"'][^}]{0,80}[\"'](arguments|input|parameters|params|args)[\"']",
    ),
    ("mcp__", r"\bmcp__[\w-]+__\w+"),
    (
        "registry_move_alias|memory_forget|training_|context_update|message_send|workflow_run|deployment_",
        r"\b(registry_move_alias|memory_forget|training_start|training_cancel|context_update|message_send|workflow_run|deployment_\w+)\s*[({]",
    ),
    (
        "registry_move_alias|memory_forget|training_cancel|context_update|deployment_",
        r"\b(call|use|run|invoke|execute|rufe|appelle|llama)\b.{0,30}`?\b(registry_move_alias|memory_forget|training_cancel|context_update|deployment_\w+)\b",
    ),
)
_APPROVAL = (
    (
        "approv|authori|signed|cleared|greenl|green-l|permitted|confirmed",
        r"\b(pre-?)?(approved|authori[sz]ed|signed[ -]off|cleared|green-?lit|permitted|confirmed)\b.{0,40}\b(by|for|from|to)\b.{0,40}\b(human|person|operator|owner|admin\w*|lead|manager|cto|ceo|security|board|user|change|production|deploy\w*|promot\w*|move|moving|delet\w*)",
    ),
    (
        "approv|authori|allowed|agreed|granted|consented|confirmed|signed",
        r"\b(human|person|operator|owner|admin\w*|manager|user|lead|cto|board)\b.{0,40}\b(has|have|had|already|hereby) (\w+ )?(approved|authori[sz]ed|allowed|agreed|granted|consented|confirmed|signed)",
    ),
    (
        "approval|permission|consent|authori|sign",
        r"\b(approval|permission|consent|authori[sz]ation|sign-?off)\b.{0,30}\b(granted|given|id|token|code|number|on file|is not needed|not required|waived)\b",
    ),
    (
        "approv|confirmed|dry_run",
        r"[\"']?(approved|is_approved|approved_by|approval_id|human_approved|confirmed|dry_run_passed)[\"']?\s*[:=]\s*[\"']?(true|yes|1|\w+@|human|[a-z]+[-_]?\d+)",
    ),
    (
        "needed|required|necessary",
        r"\b(no|without) (further |human |any )?(approval|confirmation|review|dry[ _-]?run) (is |are )?(needed|required|necessary)",
    ),
    (
        "freigegeben|genehmigt|autorisiert|approuv|autoris|valid|aprobado|autoriz|aprovado|approvato",
        r"\b(freigegeben|genehmigt|autorisiert) (von|durch|für)\b|\b(approuvé|autorisé|validé) par\b|\b(aprobado|autorizado|aprovado|approvato|autorizzato) (por|pelo|pela|da|dal)\b",
    ),
    (
        "批准|授权|授權|承認|승인|одобрено|утвержден|разрешено|الموافقة|स्वीकृत",
        r"(已批准|已授权|已經批准|批准通过|授权执行|承認済|承認されました|승인됨|승인되었|одобрено|утвержден[оа]|разрешено|تمت الموافقة|स्वीकृत)",
    ),
)
# (flag, parts of which one must occur, pattern)
PATTERNS = tuple(
    (flag, tuple(parts.split("|")), re.compile(pattern, re.DOTALL))
    for flag, lines in (
        ("like_an_instruction", _INSTRUCTION),
        ("like_a_system_message", _SYSTEM),
        ("like_a_tool_call", _TOOL_CALL),
        ("like_an_approval", _APPROVAL),
    )
    for parts, pattern in lines
)
ASCII_PATTERNS = tuple(
    (flag, tuple(filter(str.isascii, parts)), pattern)
    for flag, parts, pattern in PATTERNS
    if any(map(str.isascii, parts))
)

# For text whose word breaks are gone: letters alone, in small.
COMPACT = re.compile(
    "(ignore|disregard|forget|override)(all|any|every|each|the|your|my|these|those|of)*"
    "(previous|prior|above|earlier|former|preceding|existing)*"
    "(instruction|rule|guideline|prompt|directive|safeguard)"
)
