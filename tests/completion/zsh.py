"""The script for zsh."""

from __future__ import annotations

import re
from collections.abc import Iterator

from completion import HEAD, Verb, Word, everywhere, filled, quoted, root, verbs

ZSH = r"""
typeset -ga _mpio_every=(
@EVERY@
)

_mpio_asked() {
    local -a said=(${(f)"$(_MPIO_COMPLETE=$1 ${~program} 2>/dev/null)"})
    said=(${${said//:/\\:}/$'\t'/:})
    _describe -t $1 $1 said
}

_mpio_list() {
    local -a parts=($@)
    compset -P '*,'
    local -a listed=(${(s:,:)${IPREFIX#--*=}})
    compadd -S, -q -- ${parts:|listed}
}

@FAMILIES@

if [[ $funcstack[1] == _mpio ]]; then
    _mpio "$@"
else
    compdef _mpio mpio
fi
"""
FAMILY = r"""@FUNCTION@() {
    local context curcontext=$curcontext state state_descr line
    local -A opt_args@FIRST@
    local -a verbs=(
@VERBS@
    )
    _arguments -C @OPTIONS@ '1:verb:->verb' '*::argument:->of-verb' && return
    case $state in
        verb) _describe -t verbs verb verbs ;;
        of-verb)
            curcontext=${curcontext%:*:*}:@CONTEXT@-$words[1]:
            case $words[1] in
@CASES@
            esac
            ;;
    esac
}
"""


def script() -> str:
    top = root()
    every = everywhere(top)
    families = [_zsh_family(verb, every) for verb in verbs(top) if verb.below]
    fields = {
        "EVERY": "\n".join(f"{' ' * 8}{spec}" for word in every for spec in _zsh_option(word)),
        "FAMILIES": "\n".join(reversed(families)).rstrip("\n"),
    }
    return "#compdef mpio\n" + HEAD.format(name="zsh") + filled(ZSH, fields)


def _zsh_family(family: Verb, every: tuple[Word, ...]) -> str:
    rows = [f"{' ' * 8}{quoted(colons(verb.last) + ':' + verb.says)}" for verb in family.below]
    fields = {
        "FUNCTION": "_".join(("_mpio", *family.name.split())),
        "FIRST": "" if family.name else "\n    local program=$words[1]",
        "VERBS": "\n".join(rows),
        "OPTIONS": " ".join(spec for word in family.options for spec in _zsh_option(word, "(- : *)")),
        "CONTEXT": "-".join(("mpio", *family.name.split())),
        "CASES": "\n".join(_zsh_case(verb, every) for verb in family.below),
    }
    return filled(FAMILY, fields)


def _zsh_case(verb: Verb, every: tuple[Word, ...]) -> str:
    if verb.below:
        return f"{' ' * 16}{verb.last}) {'_'.join(('_mpio', *verb.name.split()))} ;;"
    own = [spec for word in verb.options if word not in every for spec in _zsh_option(word)]
    specs = [*own, *(quoted(f"{'*' if word.many else ''}{_zsh_place(word)}") for word in verb.arguments)]
    lines = "".join(f" \\\n{' ' * 24}{spec}" for spec in specs)
    return f"{' ' * 16}{verb.last})\n{' ' * 20}_arguments $_mpio_every{lines}\n{' ' * 20};;"


def _zsh_option(word: Word, but: str = "") -> Iterator[str]:
    """An _arguments spec for each spelling; `but` is what it cannot stand beside, else itself."""
    says = "[" + re.sub(r"([][])", r"\\\1", word.says) + "]"
    first = but or f"({' '.join(word.spelt)})"
    for spelt in word.spelt:
        end = ("=" if spelt.startswith("--") else "+") if word.place else ""
        yield quoted(f"{'*' if word.many else first}{spelt}{end}{says}{_zsh_place(word)}")


def _zsh_place(word: Word) -> str:
    if not word.place:
        return ""
    action = {
        "files": "_files",
        "folders": "_files -/",
        "words": f"({word.words})",
        "list": f" _mpio_list {word.words}",
        "asked": f" _mpio_asked {word.words}",
        "nothing": " ",
    }[word.kind]
    return f":{colons(word.shown)}:{action}"


def colons(text: str) -> str:
    return text.replace(":", "\\:")
