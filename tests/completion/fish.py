"""The script for fish."""

from __future__ import annotations

from collections.abc import Iterator

from completion import HEAD, Verb, Word, everywhere, filled, quoted, root, valued, verbs

FISH = r"""
function __mpio_words -d 'The words of the verb and its arguments, without options and their values'
    set -l option ''
    for word in (commandline -opc)[2..]
        if test -n "$option"
            set option ''
        else if string match -q -- '-*' $word
            contains -- $word @VALUED@; and set option $word
        else
            printf '%s\n' $word
        end
    end
end

function __mpio_is -d 'Is it this verb?'
    set -l words (__mpio_words)
    string match -q -- "$argv *" "$words "
end

function __mpio_runs -d 'Is it a verb that can be run?'
    set -l words (__mpio_words)
    test -n "$words[1]"; and not contains -- "$words" @FAMILIES@
end

function __mpio_ends -d 'Are there so many arguments behind this verb?'
    set -l words (__mpio_words)
    set -l verb $argv[2..]
    test (count $words) -eq (math (count $verb) + $argv[1]); and string match -q -- "$verb *" "$words "
end

function __mpio_asked
    set -lx _MPIO_COMPLETE $argv
    set -l program (commandline -opc)[1]
    command $program 2>/dev/null
end

function __mpio_list
    set -l now (commandline -ct | string replace -r -- '^--[a-z-]+=' '')
    set -l listed (string match -r -- '^.*,' "$now")
    for word in $argv
        contains -- $word (string split , "$listed"); or printf '%s\n' "$listed$word"
    end
end

complete -c mpio -f
"""


def script() -> str:
    top = root()
    every = everywhere(top)
    fields = {
        "VALUED": " ".join(sorted({option.rpartition(" ")[2] for option in valued(top)})),
        "FAMILIES": " ".join(quoted(verb.name) for verb in verbs(top) if verb.below and verb.name),
    }
    lines = [line for verb in verbs(top) for line in _fish_verb(verb, every)]
    lines += [_fish_option("-n __mpio_runs", word) for word in every]
    return HEAD.format(name="fish") + filled(FISH, fields) + "".join(f"{line}\n" for line in lines)


def _fish_verb(verb: Verb, every: tuple[Word, ...]) -> Iterator[str]:
    end = f"-n {quoted(f'__mpio_ends 0 {verb.name}'.rstrip())}"
    here = end if verb.below else f"-n {quoted(f'__mpio_is {verb.name}')}"
    yield from (f"complete -c mpio {end} -a {inner.last} -d {_fish_quoted(inner.says)}" for inner in verb.below)
    yield from (_fish_option(here, word) for word in verb.options if verb.below or word not in every)
    for i, word in enumerate(verb.arguments):
        at = here if word.many and i == 0 else f"-n '__mpio_ends {i} {verb.name}'"
        if word.kind != "nothing":
            yield f"complete -c mpio {at} {_fish_place(word).removeprefix('-x ')}"


def _fish_option(here: str, word: Word) -> str:
    spelt = " ".join(f"-l {s[2:]}" if s.startswith("--") else f"-s {s[1:]}" for s in word.spelt)
    return " ".join(filter(None, ("complete -c mpio", here, spelt, _fish_place(word), "-d", _fish_quoted(word.says))))


def _fish_place(word: Word) -> str:
    return {
        "": "",
        "files": "-r -F",
        "folders": "-x -a '(__fish_complete_directories)'",
        "words": f"-x -a {quoted(word.words)}",
        "list": f"-x -a '(__mpio_list {word.words})'",
        "asked": f"-x -a '(__mpio_asked {word.words})'",
        "nothing": "-x",
    }[word.kind]


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
