"""How the parts of a prompt look. Every pattern is possessive or bounded: time stays linear.

Those that are looked for at every letter begin with the letters they can begin with, and look back
only then: so the search passes over all others at once.
"""

import re

__all__ = [
    "BLOCK_MARKS",
    "DATA_TAG",
    "FENCE",
    "HEADING",
    "INLINE_CODE",
    "INSTRUCTION_TAG",
    "LABEL",
    "LINE_BREAKS",
    "LIST_ITEM",
    "NUMBER",
    "OPENED_AGAIN",
    "PLACEHOLDER",
    "QUOTE",
    "QUOTED_LINE",
    "QUOTE_IN_MARKS",
    "SENTENCE_END",
    "TAG",
    "URL",
    "VOID_TAGS",
]

FENCE = re.compile(  # at the start of a line, or opened at the end of one
    r"^[ \t>]{0,12}(`{3,}+|~{3,}+)([^\n]*+)$|^[^\n]*?[ :](`{3,}+)(\w*+)$", re.MULTILINE
)
OPENED_AGAIN = re.compile(r"[ :](`{3,}+)\w*+$")  # at the end of a line that closed a block
INLINE_CODE = re.compile(r"(?<!`)(`{1,2}+)(?!`)(?:[^`\n]|(?!\1)`){1,500}+\1(?!`)")
URL = re.compile(
    r"\b(?:https?|ftp|s3|file)://[^\s<>\"')\]}`\ufffc]*[^\s<>\"')\]}`\ufffc.,;:!?]|\b[\w.+-]{1,64}+@[\w-]{1,63}+(?:\.[\w-]{1,63}+)++"
)
TAG = re.compile(r"<(/?)([A-Za-z][\w:.-]{0,60}+)(?:\s[^<>\n]{0,300}?)?(/?)>")
VOID_TAGS = frozenset({"br", "hr", "img", "input"})
INSTRUCTION_TAG = re.compile(
    r"task|instruct|rule|constrain|role|format|require|guideline|step|criteri|goal|objective|persona|style",
    re.IGNORECASE,
)
# An element of this name holds what the task works on, however short it is.
DATA_TAG = re.compile(
    r"texts?|emails?|messages?|articles?|documents?|letters?|reviews?|transcripts?|passages?|essays?|tickets?|"
    r"complaints?|reports?|invoices?|contracts?|speech|tweets?|posts?|feedback|excerpts?|comments?",
    re.IGNORECASE,
)
PLACEHOLDER = re.compile(
    r"\{(?:\{\{?[^{}\n]{1,120}+\}?\}\}"  # {{name}}, {{#each items}}
    r"|%[^{}\n]{1,120}+%\}"  # {% if name %}
    r"|[A-Za-z_][\w.:|\[\] -]{0,60}+\})"  # {name}
    r"|\$(?:\{[A-Za-z_][\w.:|\[\] -]{0,60}+\}|[A-Za-z_]\w{0,60}+)"  # ${name}, $NAME
    r"|%(?:\([A-Za-z_]\w{0,60}+\)[sdf]|(?<!\S%)[sdf]\b)"  # %(name)s
    r"|<[A-Za-z_][\w .,/'-]{0,60}+>"  # <name>, when no tag closes it
    r"|\[(?:FILL IN:[^\[\]\n]{1,300}+\]"  # ours
    r"|(?:[A-Z][A-Z0-9_/-]++(?: [A-Z0-9_/-]++)*+|(?i:insert|your|enter|add|paste)\b[^\[\]\n]{0,120}+)\](?!\())"
)
_IN_MARKS = (
    r"\"(?<![\w\"]\")(?=\S)(?:[^\"\n]|\n(?![ \t]*+\n)){1,5000}+\"(?![\w\"])"
    r"|“[^“”]{1,5000}+”|«[^«»]{1,5000}+»|„[^„“”]{1,5000}+[“”]|「[^「」]{1,5000}+」|『[^『』]{1,5000}+』"
    r"|'(?<![\w'’]')(?=\S)[^'\n]{1,200}+'(?!\w)|‘(?<![\w']‘)(?=\S)[^‘’\n]{1,200}+’(?!\w)"
)
QUOTE_IN_MARKS = re.compile(_IN_MARKS)
QUOTED_LINE = re.compile(r"^[ \t]{0,3}>", re.MULTILINE)
QUOTE = re.compile(  # of a text that has a quoted line; its end may be blank
    rf"{_IN_MARKS}|^[ \t]{{0,3}}>[^\n]*+(?:\n[ \t]{{0,3}}>[^\n]*+)*+", re.MULTILINE
)
HEADING = re.compile(r"^[ \t]{0,3}#{1,6}+[ \t]++([^\n]++)$", re.MULTILINE)
LABEL = re.compile(
    r"^[ \t]*+(?:[-*+•][ \t]++)?[*_]{0,3}+((?!https?\b)[^\W\d_][\w &/'’()-]{0,40}+)[*_]{0,3}+[:：][*_]{0,3}+(?=\s|$)",
    re.MULTILINE,
)
_MARKER = r"(?:[-*+•–]|\(?\d{1,3}[.)]|\(?[A-Za-z][.)])"
LIST_ITEM = re.compile(rf"^[ \t]*+{_MARKER}[ \t]++\S[^\n]*+", re.MULTILINE)
NUMBER = re.compile(
    r"[-+±−$€£¥\d](?<![\w.].)(?:(?<=\d)\d*+|(?<=[$€£¥])\d++|(?<=[-+±−])[$€£¥]?\d++)"
    r"(?:[.,:]\d++)*+(?:\s?%|[a-zA-Zµ°]{1,3}\b)?"
)
# What a sentence does not cross: the marker of a list item, a heading; an empty line, a new line
# that does not go on in small letters, and a line that ends with a colon.
BLOCK_MARKS = re.compile(rf"^[ \t]*+{_MARKER}[ \t]++|^[ \t]{{0,3}}#{{1,6}}+[ \t]++", re.MULTILINE)
LINE_BREAKS = re.compile(
    r"\n(?:[ \t]*+\n|(?![ \t]*+[a-zß-öø-ÿа-я(,;\ufffc]))|:[ \t]*+\n|：[ \t]*+\n"
)
# A stop after an abbreviation or before a small letter is none. What was before is looked at after
# the stop: so the search runs from stop to stop.
SENTENCE_END = re.compile(
    r"[.!?。！？](?:(?<=[.!?])(?<!\be\.g.)(?<!\bi\.e.)(?<!\bvs.)(?<!\bDr.)(?<!\bMr.)(?<!\bMrs.)(?<!\bNo.)"
    r"(?<!\bcf.)(?<!\bapprox.)[.!?]{0,20}+[\"'”’)\]]{0,3}+(?=\s++(?![a-z])|\s*+\Z)"
    r"|(?<=[。！？])[。！？]*+[」』”）]{0,2}+)"
)
