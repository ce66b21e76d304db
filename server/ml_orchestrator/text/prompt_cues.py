"""English words and phrases by which a prompt shows what it has: one label, one line of them."""

from functools import cache

from ml_orchestrator.text.phrases import Phrases

__all__ = ["CUES", "TASK_VERBS", "cue_phrases"]


def _split(text: str) -> tuple[str, ...]:
    return tuple(" ".join(name.split()) for name in text.split(",") if name.strip())


def _words(text: str) -> list[str]:
    return text.split()


# Verbs a task begins with.
TASK_VERBS = frozenset(
    _words("""
    add adapt adjust advise aggregate align allocate analyse analyze annotate answer append apply
    argue arrange assess assign audit automate balance benchmark brainstorm break build calculate
    calibrate categorise categorize change check choose cite clarify classify clean cluster code
    collect combine comment compare compile complete compose compress compute condense configure
    connect consider construct convert correct count cover craft create critique debug decide
    define delete deploy derive describe design detect determine develop diagnose differentiate
    discuss display distinguish document draft draw edit elaborate eliminate emulate enumerate
    estimate evaluate examine execute expand explain explore export extend extract fetch fill
    filter find fix flag focus forecast format formulate gather generate give group guide help
    highlight identify illustrate implement improve include infer inspect install integrate
    interpret introduce investigate invent judge justify label lay list load locate log make map
    mark match measure merge migrate modify name normalise normalize note optimise optimize
    order organise organize outline paraphrase parse perform pick plan plot point polish port
    predict prepare present prioritise prioritize process produce profile program proofread
    propose prove provide rank rate read recommend reconcile record redesign reduce refactor
    refine reformat rename reorder rephrase replace reply report reproduce research resolve
    respond restructure return review revise rewrite run scan schedule score search select send
    separate set setup shorten show simplify simulate sketch solve sort specify split standardise
    standardize state structure study suggest summarise summarize support synthesise synthesize
    tabulate take teach tell test trace track train transcribe transform translate transpose
    troubleshoot tune turn update upgrade use validate verify visualise visualize walk weigh
    work write
    """)
)

CUES: dict[str, tuple[str, ...]] = {
    "vague": _split("""
        something, somehow, somewhat, stuff, things, thing, some kind of, some sort of, kind of,
        sort of, whatever, anything, nice, nicer, good, great, better, best, cool, awesome,
        amazing, interesting, appropriate, appropriately, proper, properly, suitable,
        reasonable, relevant, as needed, if needed, as necessary, where necessary, when
        possible, if possible, etc, et cetera, and so on, and so forth, and more, a bit, a
        little, a lot, lots of, a few, several, various, many, some, many different, user
        friendly, modern, clean looking, robust, high quality, professional, detailed enough,
        not too long, not too short, shortish, quick, quickly, soon, asap, easily, improve it,
        fix it, make it work, make it better, optimise it, optimize it, do your thing, you know,
        as usual, like before, the usual, stunning, engaging
        """),
    "hedge": _split("""
        maybe, perhaps, probably, possibly, i guess, i think, might, not sure, or something,
        roughly, more or less, try to, ideally, hopefully, could be, either way
        """),
    "filler": _split("""
        very, really, just, basically, actually, literally, simply, quite, totally, absolutely,
        extremely, obviously, it is important to note that, please note that, as an ai language
        model, i would like you to, i want you to, i need you to, i was wondering if, would it
        be possible to, in order to, due to the fact that, at this point in time, for the
        purpose of, needless to say, feel free to, make sure that you, at the end of the day
        """),
    "polite": _split("""
        please, kindly, thanks, thank you, could you, would you, can you, would you mind, many
        thanks
        """),
    "constraint": _split("""
        must, must not, mustn't, do not, don't, never, only, at most, at least, no more than, no
        fewer than, no less than, not more than, less than, fewer than, more than, without,
        limit, limited to, maximum, minimum, within, exactly, avoid, up to, should not,
        shouldn't, cannot, can't, may not, always, under, no longer than, strictly, forbidden,
        not allowed, excluding, except, exclude, restrict, stay below, keep under, budget,
        deadline, by tomorrow, required, requirement, requirements, constraint, constraints,
        rule, rules, compatible with, no external, instead of
        """),
    "negation": _split("""
        not, no, never, none, don't, doesn't, didn't, isn't, aren't, can't, cannot, won't,
        shouldn't, mustn't, without, neither, nor
        """),
    "length_limit": _split("""
        words or less, words or fewer, words max, word limit, words at most, words maximum, in
        one sentence, in two sentences, in three sentences, one paragraph, two paragraphs, three
        paragraphs, single paragraph, a paragraph, one sentence, single sentence, one page, two
        pages, one liner, per bullet, characters or less, characters max, tweet length, briefly,
        concise, concisely, short answer, in brief, keep it short, tl dr
        """),
    "format": _split("""
        json, csv, tsv, yaml, xml, html, markdown, latex, table, tables, bullet points, bullet
        point, bulleted list, bullets, bullet list, numbered list, ordered list, as a list, a
        list of, checklist, plain text, code block, code only, only the code, return only,
        respond only, respond with, reply with, answer with, output format, response format,
        formatted as, format the, in the format, in this format, in the following format, the
        following format, in the form of, as an array, array of, json object, json schema,
        schema, headings, sections, subject line, columns, one per line, comma separated,
        template, diff, patch, flowchart, mermaid, outline with, slide, slides, unified diff,
        docstring, key value, email, essay, haiku, sonnet, dialogue, script, tweet, in prose,
        true or false, yes or no
        """),
    "example": _split("""
        for example, for instance, e.g, example, examples, such as, here is an example, sample
        input, sample output, example input, example output, like this, as in, few shot, input
        output pairs, demonstration
        """),
    "role": _split("""
        you are a, you are an, you are the, you're a, you're an, you are my, act as, acting as,
        your role, your role is, imagine you are, imagine you're, pretend you are, pretend to
        be, take on the role, take the role, play the role, i want you to act, as a senior, as
        an expert, as an experienced, in the role of, you will act, your persona, you work as,
        you work for, you will be, assume the role, speaking as
        """),
    "context": _split("""
        background, context, we are, we have, we use, we need, our, my, i am, i'm, i have,
        because, currently, so that, the goal is, my goal, the purpose, the situation, since,
        given that, so far, at the moment, last week, last month, last year, this quarter, i
        work, we run, we sell, already, the project, the team, my team, our team, our company,
        my company
        """),
    "audience": _split("""
        audience, target audience, reader, readers, for beginners, for a beginner, beginner, for
        executives, executives, stakeholders, customers, for customers, users, end users, for
        children, year olds, year old, grader, graders, students, for students, non technical,
        for developers, for engineers, layperson, lay people, general public, newcomers, my
        boss, my manager, colleagues, investors, the board, patients, parents, clients, new
        hires
        """),
    "success": _split("""
        success criteria, acceptance criteria, definition of done, done when, successful if,
        success means, tests pass, test passes, meets, meet the, measured by, criteria,
        criterion, verify that, make sure, ensure, ensure that, so it passes, should pass,
        should return, should be able to, expected result, expected output, expected behaviour,
        expected behavior, acceptable, must pass, good answer, evaluated on, graded on, rubric,
        kpi, target of, goal of
        """),
    "steps": _split("""
        step by step, step 1, step one, think through, think step by step, think carefully,
        think aloud, first, firstly, secondly, second, then, after that, next, finally, lastly,
        explain your reasoning, your reasoning, show your work, show your working, reason about,
        chain of thought, before answering, before you answer, work through, one step at a time,
        in this order
        """),
    "uncertainty": _split("""
        if you are not sure, if you are unsure, if you're not sure, if you're unsure, if unsure,
        if uncertain, if you don't know, if you do not know, say so, say you don't know, i don't
        know, don't guess, do not guess, do not make up, don't make up, do not invent, don't
        invent, ask me, ask a question, ask questions, clarifying questions, clarifying
        question, if anything is unclear, if something is unclear, if information is missing, is
        missing, cite sources, cite your sources, confidence, level of confidence, state your
        assumptions, list your assumptions, state any assumptions, assumptions, not enough
        information, leave it empty, return null, unknown, n a, decline, refuse
        """),
    "reasoning": _split("""
        calculate, compute, prove, derive, compare, analyse, analyze, debug, diagnose, why,
        trade offs, tradeoffs, trade off, estimate, how many, how much, optimise, optimize,
        plan, evaluate, decide, which of, choose between, root cause, pros and cons, solve,
        infer, deduce, weigh, prioritise, prioritize, probability, implications, feasibility,
        assess, critique
        """),
    "creative": _split("""
        story, poem, song, lyrics, haiku, sonnet, slogan, tagline, novel, fiction, character,
        dialogue, screenplay, joke, limerick, fairy tale, creative, brainstorm, ideas, names
        for, metaphor
        """),
    "factual": _split("""
        who, when, which, how many, what is, what are, fact, facts, source, sources, according
        to, statistics, date of, evidence, law, regulation, dosage, diagnosis, legal, medical,
        citation, references, latest, price, history of
        """),
    "data": _split("""
        the following text, text below, the text below, following article, article below, the
        following email, email below, the following document, document below, the following
        code, code below, the following data, data below, following transcript, transcript
        below, the following review, reviews below, the following list, given the following,
        this text, this article, this document, this email, this code, this review, attached,
        pasted below, this passage, the passage, this transcript, user input, user message,
        customer message, the input, the above, retrieved, search results
        """),
    "tone": _split("""
        tone, formal, informal, friendly, casual, polite, neutral, persuasive, humorous, style,
        in the style of, voice, empathetic, encouraging, academic, conversational, plain
        language, plain english, simple language
        """),
}  # fmt: skip


@cache
def cue_phrases() -> Phrases:
    """Return the trie of all cues; made on first use."""
    return Phrases(CUES)
