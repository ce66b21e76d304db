"""How markup, commands and code look that act where they are shown or run."""

__all__ = ["ACTING"]

ACTING = (
    (
        "rm -r|curl |wget |sudo |os.system|drop table",
        r"\b(?:rm -rf?|curl [^|]{3,120}\| ?(?:ba|z)?sh|wget [^|]{3,120}\| ?(?:ba|z)?sh|sudo \w+|os\.system|drop table)\b",
    ),
    (
        "shutil.rmtree|os.remove|os.unlink|os.popen|eval|exec|__import__",
        r"\b(?:shutil\.rmtree|os\.(?:remove|unlink|popen))\s?\(|\b(?:eval|exec)\s?\(.{0,40}(?:b64decode|atob|__import__)|__import__\s?\(",
    ),
    (
        "python|powershell|chmod |mkfs.|dd if=|nc -e",
        r"\bpython3? -c\b|\bpowershell(?:\.exe)? -e|\bchmod (?:-r )?777\b|\bmkfs\.|\bdd if=|\bnc -e\b",
    ),
    ("![", r"!\[[^\]]{0,80}\]\(https?://[^)]{0,200}[?&=][^)]{0,200}\)"),
    (
        "<",
        r"<\s*+/?\s*+(?:script|iframe|object|embed|applet|meta\s+http-equiv|base\s+href|form\s+action|link\s+rel)\b|<\w{1,20}\b[^<>]{0,200}[\s/'\"]on[a-z]{3,20}\s*=",
    ),
    ("javascript:|vbscript:|data:text/html", r"\b(?:javascript|vbscript):\S|\bdata:text/html"),
    # text that a page does not show
    (
        "<!--|[//|[comment]",
        r"<!--.{0,40}\b(?:ai|assistants?|agents?|llm|claude|ignore|system)\b|\[(?://|comment)\]: ?[#<]",
    ),
)
