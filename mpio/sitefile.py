"""The site file: TOML to `Site` and back, every mistake at once, each by its key path.

pydantic_core is pydantic's validator without its classes: a third of the time to import, and verbs that run every
minute read the site. `mpio.sitekeys` has the keys as its data.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from pydantic_core import SchemaValidator, ValidationError

from mpio import sitekeys, sitemistakes, sitetoml, sitetrust
from mpio.errors import LooseSecret, SiteError
from mpio.host import Portal
from mpio.site import Alert, Chap, Site, SiteIface, SiteLun, Timeouts, Watch
from mpio.sitemistakes import Loc, Tree, dotted, quoted
from mpio.step import Part, Write

_OF_MULTIPATH = ("preset", "find_multipaths", "polling_interval")
_OF_LUN = ("wwid", "alias", "paths")


def load(path: str, *, nics: frozenset[str] = frozenset(), owner: int = 0) -> Site:
    """The site of a file that nobody else may write. `nics` are the host's; secret files must be of user `owner`.

    Raises SiteError with every mistake, LooseSecret where only secret files are wrong, MpioError where it may not look.
    """
    tree = _tree(sitetrust.read(path, owner), path)
    site, mistakes = _checked(tree, path, nics)
    missing, loose = sitetrust.distrusted(tree, owner)
    if mistakes or missing or site is None:
        raise SiteError(path, (*mistakes, *missing, *loose))
    if loose:
        raise LooseSecret("; ".join(loose), "chown root and chmod 0600 what is named")
    return site


def parse(text: str, path: str, nics: frozenset[str] = frozenset()) -> Site:
    """The site of a text; looks at no file. Raises SiteError."""
    site, mistakes = _checked(_tree(text, path), path, nics)
    if site is None or mistakes:
        raise SiteError(path, mistakes)
    return site


def edited(path: str, change: Callable[[str], str], why: str, nics: frozenset[str] = frozenset()) -> tuple[Site, Write]:
    """The site with this change of its text, and the write that makes it so, which keeps the file's mode and owner.

    Raises SiteError where the changed text is none that could be read again: nothing is written before that is known.
    """
    before = sitetrust.read(path)
    after = change(before)
    return parse(after, path, nics), Write(Part.MULTIPATH, why, os.path.abspath(path), after, None, before)


def _tree(text: str, path: str) -> Tree:
    try:
        return sitetoml.loads(text)
    except ValueError as e:  # TOMLDecodeError and what Python's own numbers and dates say
        said = re.fullmatch(r"(.*) \(at (.*)\)", str(e), re.DOTALL)
        where, what = (said[2], said[1]) if said else ("TOML", str(e))
        raise SiteError(path, (f"{where}: {' '.join(what.split())[:200]}",)) from None


@cache
def _validator() -> tuple[SchemaValidator, Tree]:
    keys = sitekeys.site()
    return SchemaValidator(keys), keys


def _checked(tree: Tree, path: str, nics: frozenset[str]) -> tuple[Site | None, tuple[str, ...]]:
    validator, keys = _validator()
    whole: Tree = {name: {} for name in sitekeys.OPTIONAL} | tree
    mistakes: list[tuple[Loc, str]] = []
    valid = None
    try:
        valid = validator.validate_python(whole)
    except ValidationError as e:
        errors = e.errors(include_url=False)
        mistakes += [(_loc(error["loc"]), sitemistakes.words(error, _loc(error["loc"]), keys)) for error in errors]
    mistakes += sitemistakes.across(whole, nics)
    lines = tuple(dict.fromkeys(f"{dotted(loc)}: {what}" for loc, what in mistakes))
    return (_site(valid, path) if valid and not lines else None), lines


def _loc(loc: Loc) -> Loc:
    return loc[:-1] if loc and loc[-1] == "[key]" else loc


def _site(valid: Tree, path: str) -> Site:
    san, network, multipath, watch = (valid[key] for key in ("san", "network", "multipath", "watch"))
    alerts = [a | {"on": tuple(a["on"]), "exec": tuple(a.get("exec", ()))} for a in watch.get("alert", ())]
    luns = [
        SiteLun(lun["wwid"], lun.get("alias"), {k: v for k, v in lun.items() if k not in _OF_LUN}, lun.get("paths"))
        for lun in valid.get("lun", ())
    ]
    find = multipath["find_multipaths"]
    return Site(
        ifaces=tuple(SiteIface(**iface) for iface in valid["iface"]),
        portals=tuple(san["portals"]),
        initiator=valid.get("initiator", {}).get("name"),
        targets=tuple(san.get("targets", ())),
        layout=san["layout"],
        exclude=tuple(san.get("exclude", ())),
        chap=Chap(**san["chap"]) if "chap" in san else None,
        discovery_chap=Chap(**san["discovery_chap"]) if "discovery_chap" in san else None,
        rp_filter=None if network["rp_filter"] == "keep" else network["rp_filter"],
        mtu=network.get("mtu"),
        arp=network["arp"],
        timeouts=Timeouts(**valid["timeouts"]),
        session_keys=valid["session"],
        preset=multipath["preset"],
        multipath={k: v for k, v in multipath.items() if k not in _OF_MULTIPATH},
        find_multipaths=None if find == "keep" else find,
        polling_interval=multipath.get("polling_interval"),
        luns=tuple(luns),
        watch=Watch(alerts=tuple(Alert(**a) for a in alerts), **{k: v for k, v in watch.items() if k != "alert"}),
        path=os.path.abspath(path) if path else "",  # a unit may start us with it, from anywhere
    )


def dump(site: Site) -> str:
    """The site as TOML, without comments: `parse` gives the same site back."""
    watch, times = site.watch, site.timeouts
    tables: list[tuple[str, Mapping[str, object]]] = [
        ("", {"format": 1}),
        ("[initiator]", {"name": site.initiator}),
        *(("[[iface]]", {"name": iface.name, "nic": iface.nic}) for iface in site.ifaces),
        ("[san]", {"portals": site.portals, "targets": site.targets, "layout": site.layout, "exclude": site.exclude}),
        ("[san.chap]", _fields(site.chap)),
        ("[san.discovery_chap]", _fields(site.discovery_chap)),
        ("[network]", {"rp_filter": _or_keep(site.rp_filter), "mtu": site.mtu, "arp": site.arp}),
        ("[timeouts]", _fields(times)),
        ("[session]", site.session_keys),
        (
            "[multipath]",
            {
                "preset": site.preset,
                "find_multipaths": _or_keep(site.find_multipaths),
                "polling_interval": site.polling_interval,
                **site.multipath,
            },
        ),
        *(("[[lun]]", {"wwid": lun.wwid, "alias": lun.alias, "paths": lun.paths, **lun.keywords}) for lun in site.luns),
        ("[watch]", {k: v for k, v in _fields(watch).items() if k != "alerts"}),
        *(("[[watch.alert]]", _fields(alert)) for alert in watch.alerts),
    ]
    return "\n".join(text for header, keys in tables if (text := _table(header, keys)))


def _or_keep(value: int | str | None) -> int | str:
    return "keep" if value is None else value


def _fields(value: Chap | Timeouts | Watch | Alert | None) -> dict[str, object]:
    return {} if value is None else {name: getattr(value, name) for name in value.__dataclass_fields__}


def _table(header: str, keys: Mapping[str, object]) -> str:
    lines = [f"{dotted((key,))} = {_toml(value)}\n" for key, value in keys.items() if value not in (None, ())]
    return "".join([f"{header}\n" * bool(header), *lines]) if lines else ""


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(v) for v in value)}]"
    if isinstance(value, Portal):
        return quoted(str(value) if value.port else str(value).removesuffix(":0"))
    if isinstance(value, bool):
        return "true" if value else "false"
    return quoted(value) if isinstance(value, str) else repr(value)


def schema() -> Tree:
    """JSON Schema (2020-12) of the site file, for editors."""
    from pydantic.json_schema import GenerateJsonSchema

    class Written(GenerateJsonSchema):
        """Descriptions and patterns come from the metadata that `sitekeys` gives; titles would repeat the keys."""

        def generate_inner(self, schema: Any) -> Any:
            said = schema.get("metadata", {})
            shown = {} if schema["type"] == "function-plain" else super().generate_inner(schema)
            return {**shown, **said}

        def field_title_should_be_set(self, schema: Any) -> bool:
            return False

    written = Written().generate(sitekeys.site())
    says = "The wanted state of one initiator host, for mpio. Unknown keys are refused."
    return {"$schema": Written.schema_dialect, "title": "mpio site file", "description": says, **written}


def schema_text() -> str:
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
