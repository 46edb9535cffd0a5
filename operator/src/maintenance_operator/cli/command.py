"""Verbs and options of ``kubectl mm``."""

import argparse
import asyncio
import json
import os
import shutil
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

import yaml

from maintenance_core.errors import Gone, OperatorError
from maintenance_core.model import Spec
from maintenance_core.names import KIND
from maintenance_operator import __version__
from maintenance_operator.cli import check, deciding, findings, history, logs, status
from maintenance_operator.cli.access import Access, login
from maintenance_operator.cli.layout import Page
from maintenance_operator.cli.live import assessment_of, job_of
from maintenance_operator.cli.resource import Resource, read
from maintenance_operator.cli.status import View
from maintenance_operator.settings import ConfigurationError

NOT_USABLE_EXIT: Final = 1
FAILURE_EXIT: Final = 2
INTERRUPTED_EXIT: Final = 130
OPERATOR_NAMESPACE: Final = "model-maintenance"

_DESCRIPTION: Final = """\
What Model Maintenance saw, decided and does, for people.
"""
_EPILOG: Final = """\
examples:
  kubectl mm status -A                            all resources, a line each
  kubectl mm status news-sentiment -n finance     one, explained; says what you must do
  kubectl mm why news-sentiment                   its last decision, question by question
  kubectl mm history news-sentiment               its runs, with the scores of both versions
  kubectl mm logs news-sentiment -f               what its training writes
  kubectl mm check -f resource.yaml               before kubectl apply: would it work?

Exit codes: 0 done (check: usable), 1 check: not usable as it is, 2 it could not be done.
"""
_CHECK_EPILOG: Final = """\
The API server is asked by a dry run (nothing is stored), so its rules and defaults are those of
your cluster. Prometheus is then asked for the last readings, just as the operator asks.

  kubectl mm check -f resource.yaml
      the Prometheus of the operator's configuration, through the API server's service proxy
      (needs the right to read ConfigMaps in the operator's namespace and to use services/proxy)
  kubectl mm check -f resource.yaml --prometheus http://localhost:9090
      another way to it, for example after: kubectl -n monitoring port-forward
      service/prometheus-operated 9090
  kubectl mm check -f - --crd modelmaintenances.yaml --prometheus URL < resource.yaml
      without any cluster; the schema's rules (CEL) are not asked then

Each finding is ok, a HINT (it works as it is written, and is probably not meant so: worth a look)
or WRONG (the operator would refuse it, could not read its metric now, or it cannot be meant).

Exit codes: 0 all are usable, hints or not; 1 one is WRONG, also where its Prometheus does not
answer; 2 nothing could be said (no such file, no resource in it, no cluster, no rights).
"""

_WHY_EPILOG: Final = """\
The questions with their numbers, the action, why no other, and what would have changed it: the
operator's own rules, asked again with one answer changed.

  kubectl mm why news-sentiment
  kubectl mm why news-sentiment -o svg            a file news-sentiment-decision-7.svg: the workflow
      with the way taken, and the metric around it (Prometheus is asked as by kubectl mm check;
      without it the picture says so)
  kubectl mm why news-sentiment -o png -f -       to standard output
  kubectl mm why news-sentiment --run 3           an older run: status holds its outcome, its
      folder in the store (runs/3/) the decision
  kubectl mm why news-sentiment --record decision.json
      that folder's decision.json, as if it were the last
"""


@dataclass(frozen=True, slots=True)
class Context:
    """What every verb has at hand. ``explicit``: the namespace was given by option."""

    options: argparse.Namespace
    access: Access
    namespace: str
    explicit: bool
    page: Page
    now: datetime


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    options = parser().parse_args(arguments)
    try:
        return asyncio.run(_run(options))
    except (OperatorError, ConfigurationError) as error:
        hint = ""
        if getattr(error, "status", None) == HTTPStatus.NOT_FOUND:
            hint = f"; does this cluster have the CRD of {KIND}?"
        print(f"error: {error}{hint}", file=sys.stderr)
        return FAILURE_EXIT
    except KeyboardInterrupt:
        return INTERRUPTED_EXIT
    except BrokenPipeError:
        # The reader has gone (head, less); the interpreter's last flush must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        # Of a check, 0 would say that all are usable, and the rest was not looked at.
        return FAILURE_EXIT if options.verb == "check" else 0


def parser() -> argparse.ArgumentParser:
    """All verbs and options."""
    shared = _shared()
    root = argparse.ArgumentParser(
        prog="kubectl mm",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[shared],
    )
    root.add_argument("--version", action="version", version=__version__)
    verbs = root.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, sentence: str, epilog: str = _EPILOG) -> argparse.ArgumentParser:
        return verbs.add_parser(
            name,
            help=sentence,
            description=f"{sentence[0].upper()}{sentence[1:]}.",
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            parents=[shared],
        )

    _status_options(verb("status", "one resource explained, or several in a table"))
    _history_options(verb("history", "the runs of a resource, newest first"))
    _why_options(verb("why", "the way to a decision, in words or as a picture", _WHY_EPILOG))
    _logs_options(verb("logs", "what a run's Job writes"))
    _check_options(
        verb("check", "say what the operator would see, before you apply", _CHECK_EPILOG)
    )
    return root


def _shared() -> argparse.ArgumentParser:
    """Accepted before and after the verb, so an absent one must not hide the other."""
    shared = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    cluster = shared.add_argument_group("cluster")
    cluster.add_argument("-n", "--namespace", metavar="NS", help="default: the context's")
    cluster.add_argument("--context", metavar="NAME", help="of the kubeconfig; default: current")
    cluster.add_argument("--kubeconfig", metavar="FILE", help="default: KUBECONFIG, ~/.kube/config")
    return shared


def _output(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("-o", "--output", choices=["json", "yaml"], help="for machines")


def _prometheus(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--prometheus",
        metavar="URL",
        help="ask this Prometheus, whatever spec.metrics.server is called "
        "(default: that of the operator's configuration)",
    )
    verb.add_argument(
        "--operator-namespace",
        default=OPERATOR_NAMESPACE,
        metavar="NS",
        help="where the operator's configuration lies (%(default)s)",
    )


def _status_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", nargs="?", metavar="NAME", help="left out: all of the namespace")
    verb.add_argument("-A", "--all-namespaces", action="store_true", help="all of the cluster")
    verb.add_argument(
        "--live",
        action="store_true",
        help="with NAME: read the metric now; status holds the reading of the last change",
    )
    _prometheus(verb)
    _output(verb)
    verb.set_defaults(do=_status)


def _history_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="NAME")
    verb.add_argument("--run", type=int, metavar="N", help="one run, whole")
    _output(verb)
    verb.set_defaults(do=_history)


def _why_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="NAME")
    verb.add_argument("--run", type=int, metavar="N", help="default: the last decision")
    verb.add_argument(
        "--record", metavar="FILE", help="a run's decision.json, from its folder in the store"
    )
    verb.add_argument(
        "-o",
        "--output",
        choices=deciding.FORMS,
        default=deciding.TEXT,
        help="default: %(default)s",
    )
    verb.add_argument(
        "-f",
        "--filename",
        metavar="FILE",
        help="write it there; - is standard output (default: standard output for text, json and "
        "yaml, NAME-decision-N.svg or .png for pictures)",
    )
    _prometheus(verb)
    verb.set_defaults(do=_why)


def _logs_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="NAME")
    verb.add_argument("--run", type=int, metavar="N", help="default: the live run, or the last one")
    verb.add_argument("--step", choices=logs.STEPS, help="default: the newest")
    verb.add_argument(
        "-f", "--follow", action="store_true", help="go on until it ends; wait for it to begin"
    )
    verb.set_defaults(do=_logs)


def _check_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "-f",
        "--filename",
        required=True,
        action="append",
        metavar="FILE",
        help="a manifest, may hold several documents, or a folder of manifests; - reads standard "
        "input; may be given several times",
    )
    verb.add_argument(
        "--crd",
        metavar="FILE",
        help="without a cluster: take the schema from this manifest of the CRD",
    )
    _prometheus(verb)
    _output(verb)
    verb.set_defaults(do=_check)


# --- verbs ------------------------------------------------------------------------------


async def _run(options: argparse.Namespace) -> int:
    if getattr(options, "crd", None):
        return await _check_without_cluster(options)
    namespace = getattr(options, "namespace", None)
    who = await login(getattr(options, "kubeconfig", None), getattr(options, "context", None))
    async with Access(who) as access:
        context = Context(
            options,
            access,
            namespace or who.namespace,
            explicit=namespace is not None,
            page=_page(),
            now=datetime.now(UTC),
        )
        do: Callable[[Context], Awaitable[int]] = options.do
        code = await do(context)
    sys.stdout.flush()  # here, where a reader that has gone is no surprise
    return code


async def _status(context: Context) -> int:
    options = context.options
    if options.name is None:
        return await _status_of_all(context)
    if options.all_namespaces:
        raise OperatorError("-A and NAME exclude each other: write -n NAMESPACE")
    resource = await _resource(context)
    view = View(
        resource,
        context.now,
        await job_of(context.access, resource),
        await _live(context, resource),
    )
    if options.output:
        _print_document(status.document(view), options.output)
    else:
        print(status.explained(view, context.page))
    return 0


async def _live(context: Context, resource: Resource) -> Any:
    options = context.options
    if not options.live and options.prometheus is None:
        return None
    return await assessment_of(
        context.access, resource, context.now, options.prometheus, options.operator_namespace
    )


async def _status_of_all(context: Context) -> int:
    options = context.options
    if options.live or options.prometheus:
        raise OperatorError("--live and --prometheus read one metric: write a NAME, too")
    where = None if options.all_namespaces else context.namespace
    views = [View(read(body), context.now) async for body in context.access.resources(where)]
    views.sort(key=lambda view: (view.resource.identity.namespace, view.resource.identity.name))
    if options.output:
        _print_document({"items": [status.document(view) for view in views]}, options.output)
    elif views:
        print(status.listed(views, context.page, namespaces=options.all_namespaces))
    else:
        place = "this cluster" if where is None else f"namespace {where}"
        print(f"No {KIND} in {place}.", file=sys.stderr)
    return 0


async def _history(context: Context) -> int:
    options = context.options
    resource = await _resource(context)
    if options.run is not None:
        return _one_run(context, resource)
    if options.output:
        _print_document(history.document(resource), options.output)
    else:
        print(history.listed(resource, context.now, context.page))
    return 0


def _one_run(context: Context, resource: Resource) -> int:
    number = context.options.run
    entry = history.found(resource, number)
    if entry is None:
        raise OperatorError(_no_such_run(resource, number))
    if context.options.output:
        runs = history.document(resource)["runs"]
        found = next(run for run in runs if run["number"] == number)
        _print_document(found, context.options.output)
    else:
        task = resource.spec.task if isinstance(resource.spec, Spec) else ""
        print(history.explained(entry, context.now, context.page, task))
    return 0


def _no_such_run(resource: Resource, number: int) -> str:
    name, live = resource.identity.name, resource.status.run
    if live is not None and live.number == number:
        return f"run {number} has not ended yet: kubectl mm status {name}"
    kept = ", ".join(str(run.number) for run in resource.status.history)
    if not kept:
        return f"there is no run {number}: no run of {name} has ended yet"
    return f"run {number} is not in the status; there are: {kept}"


async def _why(context: Context) -> int:
    options = context.options
    wish = deciding.WhyOptions(
        options.output,
        options.filename,
        options.run,
        options.record,
        options.prometheus,
        options.operator_namespace,
    )
    shown = await deciding.shown(
        context.access, await _resource(context), wish, context.page, context.now
    )
    deciding.write(shown, sys.stdout.buffer)
    return 0


async def _logs(context: Context) -> int:
    options = context.options
    wish = logs.LogOptions(options.run, options.step, options.follow)
    await logs.show(context.access, await _resource(context), wish, sys.stdout.buffer)
    return 0


async def _check(context: Context) -> int:
    options = context.options
    return await _check_all(
        options,
        check.Surroundings(
            context.namespace,
            context.explicit,
            context.access,
            None,
            options.prometheus,
            options.operator_namespace,
            context.now,
        ),
        context.page,
    )


async def _check_without_cluster(options: argparse.Namespace) -> int:
    if options.prometheus is None:
        raise OperatorError(
            "--crd asks no cluster, so nothing names a Prometheus: --prometheus URL"
        )
    namespace = getattr(options, "namespace", None)
    around = check.Surroundings(
        namespace or "default",
        namespace is not None,
        None,
        check.crd_of(options.crd),
        options.prometheus,
        options.operator_namespace,
        datetime.now(UTC),
    )
    return await _check_all(options, around, _page())


async def _check_all(options: argparse.Namespace, around: check.Surroundings, page: Page) -> int:
    found = check.all_sources(options.filename)
    others = [source for source in found if check.is_other(source.document)]
    ours = [source for source in found if not check.is_other(source.document)]
    for source in others:
        print(f"{source.name}: {source.document['kind']}, passed over", file=sys.stderr)
    if not ours:
        raise OperatorError(f"{', '.join(options.filename)}: no {KIND} in it")
    checked = []
    for number, source in enumerate(ours):
        checked.append(await check.check(source, around, ours[:number]))
        if not options.output:
            print(findings.told(checked[-1], page), end="\n\n" if source is not ours[-1] else "\n")
    if options.output:
        _print_document({"items": [findings.document(one) for one in checked]}, options.output)
    return 0 if all(one.usable for one in checked) else NOT_USABLE_EXIT


# --- small parts ------------------------------------------------------------------------


async def _resource(context: Context) -> Resource:
    name = context.options.name
    try:
        return read(await context.access.get(context.namespace, name))
    except Gone:
        raise OperatorError(
            f"there is no {KIND} {name} in namespace {context.namespace}; kubectl mm status -A "
            "lists all"
        ) from None


def _page() -> Page:
    """What standard output is."""
    terminal = sys.stdout.isatty()
    plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    width = shutil.get_terminal_size().columns if terminal else None
    return Page(width, colour=terminal and not plain)


def _print_document(document: Mapping[str, Any], form: str) -> None:
    text = json.dumps(document, indent=2, ensure_ascii=False)
    if form == "yaml":
        text = yaml.safe_dump(json.loads(text), sort_keys=False, allow_unicode=True).rstrip()
    print(text)
