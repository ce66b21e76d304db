"""How English text looks that orders an agent about: parts of words, and a pattern, per line."""

__all__ = ["ORDERS"]

_RULES = "instructions?|rules?|guidelines?|prompts?|directives?|safeguards?|guardrails?|polic(?:y|ies)|orders|commands|constraints|restrictions|training|programming"
_FORMER = "all|any|every\\w*|your|my|these|those|the|its|their|other|previous|prior|above|earlier|former|existing|last"
_PUT_ASIDE = "ignor|disregard|forget|overrid|bypass|overrul|supersed|discard|set aside|put aside|throw away|throw out|pay no attention|overlook|neglect|unlearn|replac|cancel"
_PERSON = "user|human|person|people|operator|owner|anyone|anybody|administrator|admin|supervisor|developer"
_NAMES = "ml-orchestrator|data-pipeline-specialist|infrastructure-specialist|performance-engineer|claude|agent|assistant|ai"
_ACT = "move|delete|promote|deploy|roll ?back|approve|skip|bypass|disable|forget|drop|erase|wipe|purge|remove|overwrite|override|reveal|send|transfer|execute|invoke|revoke|grant|cancel"
_AT = r"(?:@\w|\b(?:alias|production|champion|registry|version \d|gates?|guardrails?|approvals?|requests?|validation|dry[_ ]?run|digest|audit|safeguards?|credentials|secrets|database|plan|roll-?out|everything|(?:all|every|shared|entire|whole) (?:models?|memor\w+|versions?|backups?|logs?|checks?)))"
_NOT_TOLD = r"(?<!\bwe )(?<!\bto )(?<!they )(?<!\bi )(?<!not )(?<!never )(?<!\ba )(?<!\bthe )(?<!\bno )"  # a statement, not an order
_HURDLES = r"gates?|guardrails?|safeguards?|safety|approvals?|dry[_ -]?run|confirmations?|digests?|audit\w*|human review|restrictions|polic(?:y|ies)"
_SECRETS = r"system prompt|hidden prompt|instructions|api[ _-]?keys?|passwords?|secrets?|tokens?(?! per)|credentials?|environment variables"

ORDERS = (
    # put former orders aside
    (
        "ignor|disregard|forget|overrid|bypass|overrul|supersed|discard|set aside|put aside|throw |pay no|overlook|neglect|unlearn|replac|cancel",
        rf"\b(?:{_PUT_ASIDE})(?!\w*s\b(?!.{{0,10}}\byour\b))\w*\b.{{0,20}}\b(?:{_FORMER})\b.{{0,40}}\b(?:{_RULES})\b",
    ),
    (
        "ignore|disregard|forget",
        r"\b(?:ignore|disregard|forget)\b.{0,10}\b(?:everything|anything|all)\b.{0,30}\b(?:above|before|previous|prior|earlier|said|told|know)",
    ),
    (
        "ignore|disregard|forget",
        r"\b(?:ignore|disregard|forget)(?: (?:all|any|of|everything|the|text)){1,4} (?:above|prior|previous|foregoing|preceding)\b(?=\s*(?:and|then|text|messages?|context|conversation|[.,!;:]|$))",
    ),
    (
        "ignor|disregard|forget|overrid|bypass|overrul|supersed|discard|set aside|put aside|throw |pay no|overlook|neglect|unlearn|replac|cancel",
        rf"\b(?:{_PUT_ASIDE})\w*\b.{{0,12}}\b(?:what|whatever|everything|anything)\b.{{0,30}}\b(?:told|taught|ordered|instructed|said to) (?:you|do)\b|\b(?:disregard|forget) (?:what|everything|all) you\b",
    ),
    (
        "disregard|forget|ignore",
        rf"\b(?:ignore|disregard|forget)\b (?:what|whatever|everything|anything|all) (?:your|the) (?:{_PERSON})\b",
    ),
    (
        "do not|don't|never|stop|no longer|not have to|need not|needn't|refuse to|cease|quit",
        rf"\b(?:do not|don't|never|stop|no longer|not have to|need not|needn't|refuse to|cease|quit)\b(?: \w+){{0,3}}? (?:follow|obey|heed|comply|adher|respect)\w*\b.{{0,15}}\b(?:your|the|any|these|those|its|system)\b.{{0,25}}\b(?:{_RULES})\b",
    ),
    (
        "obey|only obey|answer to me|answers to me|listen only|must obey",
        r"\b(?:obey (?:me|only|my|every)|only obey|answers? to me\b|listen only to (?:me|this)|must obey)\b",
    ),
    (
        "*void|invalid|null|superseded|revoked|cancelled",
        rf"\b(?:everything|all|anything|{_RULES})\b.{{0,40}}\b(?:is|are|was|were) (?:now |hereby )?(?:void|invalid|null and void|superseded|revoked|cancelled)\b.{{0,40}}(?:\bobey|\bfollow|\bnew\b|\bonly\b|$)",
    ),
    (
        "from now|from here|from this|from today|henceforth|starting|as of|effective",
        r"\b(?:from (?:now|here|today|this (?:moment|point|time|day|minute))(?: on(?:wards?)?)?|henceforth|(?:starting|effective) (?:now|today|immediately)|as of (?:now|today))\b[\s,:]{1,3}(?:you|your|(?:all |every )?agents?|answer|respond|reply|act|behave|obey|speak|ignore|skip|bypass|approve|do not ask|never ask|treat)\b",
    ),
    ("you are", r"\byou are (?:now|no longer|free (?:from|of))\b"),
    (
        "your |the real|the actual|the true|new ",
        r"\byour (?:new|real|actual|true|updated|next) (?:task|goal|instruction|mission|objective|orders?|role|priority)\b.{0,10}\b(?:is|are)\b|\bthe (?:real|actual|true) (?:task|goal|instruction|mission|orders?|role)\b.{0,10}\b(?:is|are)\b|\bnew (?:instructions?|orders?|directives?)\s*:|\bnew (?:instructions?|rules|orders) (?:for (?:the |all )?(?:agents?|assistants?|ai)|follow\b)",
    ),
    (
        "your ",
        rf"\byour (?:\w+ )?(?:{_RULES})\b(?: \w+){{0,2}} (?:expired|replaced|changed|void|obsolete|lifted|over|suspended|off)\b",
    ),
    (
        "as if|as though",
        rf"\bas (?:if|though) (?:your (?:{_PERSON})|(?:the|a|an) (?:{_PERSON}) (?:had|has) (?:typed|said|asked|approved|written|ordered|confirmed))\b",
    ),
    (
        "whatever|do the opposite",
        r"\bwhatever your (?:developers?|operators?|owners?|users?|makers?|creators?)\b.{0,20}\b(?:asked|told|said|ordered|want)|\bdo the opposite of (?:what|your)\b",
    ),
    # play this role
    (
        "you are|you're|act as|acting as|pretend|behave as|roleplay|role-play|imagine|simulate|play the role",
        r"\b(?:you are|you're|act(?:ing)? as|pretend\w*|behave as|role-?play\w*|imagine|simulate|play the role of)\b.{0,60}\b(?:unrestricted|developer mode|jailbr|dan\b|root\b|anything now|no (?:rules|limits|filters?|restrictions)|without (?:any )?(?:rules|limits|filters?|restrictions)|(?:person|human|user|owner) (?:has |have )?(?:said|agreed|approved))|\b(?:you are|act as|pretend to be|behave as) (?:the |an? )?(?:admin\w*|owner|root|developer)\b",
    ),
    (
        "enter |enable|activate|switch to|go into|jailbr|do anything",
        r"\b(?:enter|enable|activate|switch to|go into) (?:developer|god|admin|debug|maintenance) mode\b|\bjailbr(?:eak|oken)|\bdo anything now\b",
    ),
    (
        "let's play|let us play|in this ",
        r"\blet(?:'s| us) play a game\b|\bin this (?:story|game|scenario|fiction|simulation|world),? (?:you|agents?|the (?:assistant|agent|ai))\b",
    ),
    # hide that
    (
        "do not|don't|never|without|must not|not be",
        rf"\b(?:do not|don't|never|without|must not|not be) (?:be )?(?:tell|inform|alert|notif|ask|warn|mention|report|show|told|let|involve|consult|contact|bother|wake)\w*\b.{{0,40}}\b(?:{_PERSON})s?\b",
    ),
    (
        "do not|don't|never|without|must not",
        r"\b(?:do not|don't|never|without|must not) (?:log|record|report|mention|disclos|reveal|announce|talk about|audit)(?:e|ing|ed)? (?:this|that|it)\b(?: (?:action|step|move|change|deletion|call|request|command|note|conversation|message|exchange)\b|\s*(?:[.,;:!\"']|$|and\b|to\b|in\b))|\b(?:do not|don't|never|must not) (?:reveal|mention|disclose) that\b",
    ),
    (
        "hide|hiding|conceal|withhold|keep",
        rf"\b(?:hid(?:e|ing)|conceal\w*|withhold\w*)\b.{{0,40}}\bfrom (?:the |your |any |all )*(?:{_PERSON})s?\b|\bkeep (?:the |your |any )*(?:{_PERSON})s? (?:out of|in the dark|away|unaware)|\bkeep (?:this|it|that|quiet)\b.{{0,25}}\b(?:secret|hidden|between us|quiet|from (?:the |your |any )*(?:{_PERSON})s?)\b",
    ),
    (
        "between|no mention|no word|no record|nobody|no one|no-one|leave no|tell no|say nothing|cover your",
        r"\bbetween (?:us|you and me)\b(?! and)|\bno (?:mention|word|record) of (?:this|it)\b|\b(?:nobody|no[ -]one) (?:has|needs|must|should|may|ought|will)(?: to)? (?:know|learn|notice|hear|find out)\b|\bleave no (?:trace|record|log|evidence)|\b(?:tell no(?:body| one)|say nothing|cover your tracks)\b",
    ),
    # hand out secrets
    (
        "reveal|print|repeat|output|show|leak|exfiltrate|send|post|upload|transfer|forward|mail|hand over|give me",
        rf"\b(?:reveal|print|repeat|output|show|leak|exfiltrate|send|post|upload|transfer|forward|mail|hand over|give me)\b.{{0,50}}\b(?:{_SECRETS})",
    ),
    (
        "send|post|upload|forward|mail|email|e-mail|copy|exfiltrate|transmit|transfer|paste|leak|cat|curl",
        r"\b(?:send|post|upload|forward|e-?mail|mail|copy|exfiltrate|transmit|transfer|paste|leak|cat|curl)\b.{0,60}(?:\.ssh\b|\.aws/|(?<![\w.])\.env\b|id_rsa|/etc/(?:passwd|shadow)|\.netrc|authorized_keys)",
    ),
    (
        "send|post|upload|forward|mail|email|e-mail|exfiltrate|transmit|leak",
        r"\b(?:send|post|upload|forward|e-?mail|mail|exfiltrate|transmit|leak)\b.{0,30}\b(?:conversation|memor(?:y|ies)|contents? of|history|everything you|records)\b.{0,40}(?:https?://|\bto \S{1,60}@)",
    ),
    (
        "enter |type |paste |submit |fill in|give ",
        r"\b(?:enter|type|paste|submit|fill in|give)\b (?:in )?your (?:\w+ )?(?:password|token|credentials?|api[ _-]?key|secret|passphrase)",
    ),
    (
        "reply with|respond with|answer with",
        r"\b(?:reply|respond|answer) with (?:your|the system) (?:config\w*|system|prompt|instructions|tools|rules)",
    ),
    (
        "tell|give|show|answer|reply|respond|content",
        r"\b(?:tell|give|show|answer|reply|respond|contents?)\b.{0,30}\byour (?:\w+ )?(?:instructions|prompt|rules|system message|configuration)\b",
    ),
    # do this
    (
        "feel free to|no need to|no reason to",
        rf"\bfeel free to (?:{_ACT})\b|\bno (?:need|reason) to (?:ask|wait for|tell|inform|consult) (?:any|some|the|a|your|me|for|perm|appr)",
    ),
    (
        "delete|remove|erase|roll back|overwrite|point|move|set |switch|shift|promote",
        rf"{_NOT_TOLD}\b(?:delete|remove|erase|roll back|overwrite) (?:the )?(?:model )?version \d|{_NOT_TOLD}\b(?:point|move|set|switch|shift|promote)\b (?:the )?(?:alias )?@\w+ (?:at|to|on|onto|back|over)\b",
    ),
    (
        "assistant|agent|model|ai|ais|claude|reader|whoever reads|colleague",
        r"\b(?:assistant|agent|model|ai|claude|reader|whoever reads this|colleague)s?\b[^.]{0,30}\b(?:must|shall|have to|has to|should) (?:now|immediately|at once|always|instead|first (?:call|run|execute|move|delete|promote|approve|read|open))\b",
    ),
    (
        "you|agent|assistant|claude|can you|could you|will you|would you",
        rf"\b(?:you|agents?|assistants?|claude)\b,? (?:(?:must|should|shall|will|would) |(?:have|has|need|needs|are|is) to |now )(?:(?:now|immediately|always|also|just|simply|first|at once|then) )*(?:{_ACT})\b.{{0,40}}{_AT}|\b(?:can|could|would|will) you (?:please )?(?:{_ACT})\b.{{0,30}}{_AT}",
    ),
    (
        "please|kindly|immediately|now|at once|right away",
        rf"\b(?:please|kindly|immediately|at once|right away|(?<!\bwe )now),? (?:{_ACT})\b.{{0,40}}{_AT}",
    ),
    (
        "immediately|at once|right away|now|promote|deploy|delete|move",
        r"\b(?:immediately|at once|right away|(?<!\bwe )now)\b.{0,20}\b(?:call|run|execute|invoke|move|delete|promote|approve|deploy|drop)\b.{0,60}@?\b(?:tool|alias|champion|production|command|shell|bash|registry|model|memory|table)|\b(?:promote|deploy|delete|move)\b.{0,30}\b(?:straight away|right away|at once)\b",
    ),
    (
        "delete|remove|erase|wipe|purge|destroy|drop",
        rf"{_NOT_TOLD}\b(?:delete|remove|erase|wipe|purge|destroy|drop)\b(?: \w+)? (?:all|every|any|each|entire|whole)\b(?: (?:of|the|your|its|old|other|stored|single|registered|production)){{0,3}} (?:models?|registry|memor(?:y|ies)|backups?|aliases|versions?|databases?|logs?|traces?|evidence)\b|{_NOT_TOLD}\b(?:delete|remove|erase|wipe|purge|destroy|drop) everything (?:in|from|of) (?:the )?(?:registry|memory|database)\b",
    ),
    (
        "delete|remove|erase|wipe|purge|destroy|drop",
        rf"{_NOT_TOLD}\b(?:delete|remove|erase|wipe|purge|destroy|drop)\b (?:the|your) (?:shared |whole |production )?(?:registry|champion|audit log|audit trail|database|memory|production model)\b(?! (?:from|of))",
    ),
    (
        "skip|bypass|circumvent|disable|deactivat|turn off|switch off|suspend|lift|omit|evade",
        rf"{_NOT_TOLD}\b(?:skip|bypass|circumvent|disable|deactivate|turn off|switch off|suspend|lift|omit|evade)\b (?:\w+ ){{0,3}}?(?:{_HURDLES})\b(?! of\b)|{_NOT_TOLD}\b(?:skip|bypass|disable|turn off|switch off)\b (?:the |all |any |every |safety )*(?:validations?|checks?|reviews?|verification|tests?)\b(?:$|[.!;]|.{{0,12}}\b(?:and|then) (?:promote|deploy|move|approve|go|release))",
    ),
    (
        "move|delete|promote|deploy|roll back|rollback|approve|skip|bypass|disable|forget|drop|erase|wipe|purge|remove|overwrite|override|reveal|send|transfer|execute|invoke|revoke|grant|cancel",
        rf"{_NOT_TOLD}\b(?:{_ACT})\b.{{0,50}}\bwithout (?:asking|looking|(?:any |a |an |further |human )*(?:confirmation|approval|permission|gates?|checks?|review|dry[_ -]?run|digest|validation))\b",
    ),
    (
        "set|use|pass|put|add|send|give",
        r"(?<!\bwe )(?<!\bi )\b(?:set|use|pass|put|add|send|give)\b.{0,20}\bdry[_ -]?run\b[\W_]{0,6}(?:to |is )?[\W_]{0,3}(?:false|off|no|0)\b",
    ),
    (
        "plan_digest|expected_version|dry_run|approval|confirmation|digest|gates|rules",
        r"\b(?:plan_digest|expected_version|dry_run|approvals?|confirmation|digests?|gates|rules)\b.{0,12}\b(?:is|are|do|does)\b (?:not|no longer) (?:required|needed|necessary|apply|checked|enforced)|\b(?:gates|rules|digests?|approvals?) no longer (?:apply|count|hold for)\b|\b(?:plan_digest|expected_version|approvals?|dry_run|digests?|gates)\b (?:should|can|may|must|could) (?:now )?be (?:ignored|skipped|bypassed|left out|omitted)",
    ),
    # whom it speaks to
    (
        "note|message|notice|instruction|attention|warning|reminder|memo|important|urgent",
        rf"\b(?:notes?|messages?|notice|instructions?|attention|warning|reminder|memo|important|urgent)\b,?(?: (?:to|for))? (?:the |all |any |every |next |future |reading |dear )*(?:ai |llm |language )?(?:{_NAMES}|llm|model|reader|bot)s?\b\W{{0,3}}[:!,–—-].{{0,40}}\b(?:(?:{_ACT})\b.{{0,30}}(?:{_AT}|\bmodels?\b)|rules|policy|you (?:are|must|will)|new instructions)",
    ),
    (
        "agent|assistant|ai|ais|model|llm|claude|if you are|dear |hey |attention ",
        r"\b(?:agents?|assistants?|ai|models?|llms?|claude)s? (?:that is |who is |that are )?reading this\b|\bif you are (?:an? )?(?:ai|llm|language model|assistant|agent)\b|\b(?:dear|hey|attention) (?:ai|assistant|agent|claude|model|llm)\b",
    ),
    (
        "agent|assistant|claude|ai|ml-orchestrator|data-pipeline-specialist|infrastructure-specialist|performance-engineer",
        rf"\b(?:{_NAMES})\s?[:,] (?:please |now |you (?:\w+ )?(?:to )?|go and |kindly ){{0,4}}(?:{_ACT})\b.{{0,40}}{_AT}",
    ),
    (
        "*order you|command you|instruct you|require you",
        r"\bi (?:hereby |now |must )?(?:order|command|instruct|require) you to\b",
    ),
)
