"""How text looks that imitates the frame around a conversation, a call of a tool, or its result."""

__all__ = ["SYSTEM_MESSAGES", "TOOL_CALLS"]

_NO_FACT = r"(?!\s*(?:[\d.]|ubuntu|linux|debian|macos|windows|cpu|gpu))"  # "System: 2 cores"

SYSTEM_MESSAGES = (
    (
        "<",
        r"<\s*+/?\s*+(?:system|system-reminder|system_prompt|instructions?|assistant|human|user|admin|developer|s)\s*>",
    ),
    (
        "<|[inst]|[/inst]",
        r"<\|[a-z_ ]{2,30}\|>|\[/?inst\]|<</?sys>>|<\s*+/?(?:start|end)_of_turn\s*>",
    ),
    (
        "[|<<|{{",
        r"(?:\[|<<|\{\{[#/]?)\s?(?:system|admin|developer|root)(?: (?:message|prompt|notice|update|override|note))?\s?(?:\]|>>|\}\})",
    ),
    (
        "*system|developer|assistant|human|admin|root",
        rf"(?:^|\n)[^\S\n]*+(?:[#*\[(>-][#*\[(> -]{{0,5}})?(?:system|developer|assistant|human|admin|root)\s?(?:message|prompt|notice|override|note|update|alert|directive|instruction|command)?[\])*]{{0,3}}\s*:{_NO_FACT}",
    ),
    (
        "*#",
        r"(?:^|\n)\s{0,3}#{1,4} ?(?:instructions?|response|system|end of instructions?)\s*:",
    ),
    (
        "*role|author",
        r"[\"'](?:role|author)[\"']\s*:\s*[\"'](?:system|developer|assistant|tool)[\"']",
    ),
    (
        "begin |end |start |---",
        r"\b(?:begin|end|start) (?:of )?(?:system|developer|hidden|admin|stored|untrusted|user) (?:prompt|message|instructions?|records?|data|input)\b|--- ?(?:end of )?stored records",
    ),
    (
        "*end of|begin of|start of",
        r"[-=*#]{3} ?(?:end|begin|start) of (?:context|document|file|memory|conversation|message|prompt|instructions|data|user)",
    ),
    (
        "message |notice |note |order |directive |word ",
        r"\b(?:message|notice|note|order|directive|word) (?:from|by) (?:the )?(?:system|anthropic|openai|developers?|administrators?|admin|security team|server itself)\b",
    ),
    (
        "system |maintenance |admin |developer |god ",
        r"\b(?:system|maintenance|admin|developer|god) (?:override|mode)\b",
    ),
    (
        "this is|as your|as the ",
        r"\bthis is (?:the )?(?:anthropic|openai|your (?:developer|administrator|operator|creator|owner)|system administrator|administrator|security team)\b|\bas (?:your (?:administrator|admin|developer|operator|creator|owner)|the (?:system )?administrator,)",
    ),
)

TOOL_CALLS = (
    (
        "<",
        r"<\s*+/?\s*+(?:\w{1,20}:)?(?:function_calls?|invoke|tool_use|tool_call|tool_result|parameter|function_results?)\b",
    ),
    (
        "*tool|function",
        r"[\"'](?:type|method)[\"']\s*:\s*[\"'](?:tool_use|tool_call|tool_result|function|function_call|tools/call)[\"']",
    ),
    (
        "*\"arg|'arg|\"input|'input|\"param|'param",
        r"[\"'](?:tool|tool_name|name|function)[\"']\s*:\s*[\"'](?:mcp__[\w-]+|[a-z]+_[a-z_]+)[\"'][^}]{0,80}[\"'](?:arguments|input|parameters|params|args)[\"']",
    ),
    ("mcp__", r"\bmcp__[\w-]{1,80}__\w"),
    (
        "registry_move_alias|memory_forget|training_start|training_cancel|context_update|message_send|workflow_run|deployment_",
        r"\b(?:registry_move_alias|memory_forget|training_start|training_cancel|context_update|message_send|workflow_run|deployment_\w{1,20})\s*[({]",
    ),
    (
        "call|use|run|invoke|execute|rufe|appelle|llama",
        r"\b(?:call|use|run|invoke|execute|rufe|appelle|llama)\b.{0,30}`?\b(?:registry_move_alias|memory_forget|training_cancel|context_update|deployment_\w+)\b",
    ),
    (
        "*action|```tool|to=functions|function|tool",
        r"\baction\s*:\s*\w{1,60}[^\S\n]*+\n\s*+action[ _]input\s*:|```tool_\w|\bto=functions\.|(?:^|\n)[^\S\n]*+(?:function|tool)(?: call)? (?:result|response|call)\s*:",
    ),
    (
        "*tool_call|call_tool|registry_move_alias|memory_forget|training_cancel|context_update|workflow_run|deployment_start",
        r"[\"']tool_calls?[\"']\s*:|\bcall_tool\s?\(|[\"'](?:name|tool|function)[\"']\s*:\s*[\"'](?:registry_move_alias|memory_forget|training_cancel|context_update|workflow_run|deployment_start)[\"']",
    ),
    ("registry.", r"\bregistry\.(?:delete|move|promote|remove|set)\w{0,20}\("),
)
