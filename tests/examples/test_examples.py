"""The examples' own parts, without a cluster."""

import itertools
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
sys.path[:0] = [str(EXAMPLES / name) for name in (
    "chatbot", "disease-prediction", "green-bonds", "package-sections", "recommendation", "serving",
    "support", "trading")]  # fmt: skip

import clerk  # noqa: E402  # found through the path above
import headlines  # noqa: E402
import markets  # noqa: E402
import packages  # noqa: E402
import patients  # noqa: E402
import shop  # noqa: E402
import stretches  # noqa: E402
import traffic  # noqa: E402
from maintenance_examples import cases, demo, deployment  # noqa: E402
from maintenance_examples.clusters import Cluster  # noqa: E402
from maintenance_examples.shell import Failure  # noqa: E402
from packages import GROUPS, Synopsis  # noqa: E402
from service import Service  # noqa: E402

SOURCE = [{"text": text} for text in "abcd"]


@dataclass
class Constant:
    """A version that always says the same."""

    version: str
    label: str

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        return [self.label] * len(rows)


class Words(Constant):
    """A version that answers in words."""

    of_classes = False


def accuracy(model: str, version: str) -> float | None:
    return REGISTRY.get_sample_value("model_accuracy", {"model": model, "version": version})


def counted(model: str, version: str, label: str, *, correct: bool) -> float | None:
    labels = {"model": model, "version": version, "true_class": label,
              "correct": str(correct).lower()}  # fmt: skip
    return REGISTRY.get_sample_value("model_predictions_total", labels)


def test_answers_are_counted_by_true_class_once_their_labels_are_known() -> None:
    service = Service("counted", window_rows=100)
    assert service.predict(SOURCE) is None, "no version yet"
    service.serve(Constant("1", "yes"))
    answer = service.predict(SOURCE)
    assert answer is not None
    assert accuracy("counted", "1") is None, "nothing is known yet"
    assert service.feedback(answer["id"], ["yes", "yes", "yes", "no"])
    assert accuracy("counted", "1") == 0.75
    assert counted("counted", "1", "yes", correct=True) == 3
    assert counted("counted", "1", "no", correct=False) == 1
    assert not service.feedback(answer["id"], ["no"] * 4), "an answer counts once"
    assert accuracy("counted", "1") == 0.75


def test_a_new_version_starts_with_a_clean_slate() -> None:
    service = Service("slate", window_rows=100)
    service.serve(Constant("1", "yes"))
    late, early = service.predict(SOURCE), service.predict(SOURCE)
    assert late is not None
    assert early is not None
    service.feedback(early["id"], ["no"] * 4)
    service.serve(Constant("2", "no"))
    assert accuracy("slate", "1") is None, "a version that is not served has no accuracy"
    service.feedback(late["id"], ["no"] * 4)
    assert accuracy("slate", "1") is None
    assert counted("slate", "1", "no", correct=False) == 8, "its answers are still counted"


def test_accuracy_is_of_the_window_alone() -> None:
    service = Service("window", window_rows=4)
    service.serve(Constant("1", "yes"))
    for truth in ("no", "yes"):
        answer = service.predict(SOURCE)
        assert answer is not None
        service.feedback(answer["id"], [truth] * 4)
    assert accuracy("window", "1") == 1.0


def test_traffic_sends_every_row_before_any_comes_again() -> None:
    rows = [{"text": str(number)} for number in range(10)]
    sent = itertools.chain.from_iterable(itertools.islice(traffic.batches(rows, 3), 10))
    assert set(Counter(row["text"] for row in sent).values()) == {3}


def test_headlines_are_seeded_and_green_bonds_only_come_later(tmp_path: Path) -> None:
    news, again = headlines.Newsroom().write(300), headlines.Newsroom().write(300)
    assert news == again
    assert len({row.text for row in news}) == 300
    assert not any("green" in row.text.lower() for row in news)
    later = headlines.Newsroom().write(400, headlines.GREEN_SHARE)
    templates = [word for texts in headlines.GREEN_BONDS.values() for word in texts]
    assert all("bond" in text or "linked" in text or "proceeds" in text for text in templates)
    green = sum(any(word in row.text for word in ("bond", "linked", "proceeds")) for row in later)
    assert green == 100


@pytest.fixture
def index() -> tuple[Synopsis, ...]:
    """As many made-up synopses as Debian has, of each section."""
    return tuple(
        Synopsis(f"{section} {number}", section, group)
        for group, sections in GROUPS.items()
        for section in sections
        for number in range(900)
    )


def test_stretches_differ_as_told(
    index: tuple[Synopsis, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(stretches, "synopses", lambda *_: index)
    data = stretches.build(tmp_path)
    known, games, refiled, quiet = data.stretches
    original = {row.text for row in data.original}
    assert not any(text.startswith("games") for text in original)
    share = sum(row.text.startswith("games") for row in games.labelled) / len(games.labelled)
    assert share == stretches.GAMES_SHARE
    assert not {row.text for row in games.served} & {row.text for row in games.labelled}
    assert not original & {row.text for row in (*known.served, *games.labelled)}
    before = {row.text: row.label for row in games.served}
    moved = {(before[row.text], row.label) for row in refiled.served}
    assert moved == {(g, stretches.REFILED.get(g, g)) for g in GROUPS}
    assert sorted(map(str, quiet.served)) == sorted(map(str, refiled.served))


@pytest.mark.slow
def test_patients_are_seeded_and_change_as_told() -> None:
    data, again = patients.draw(), patients.draw()
    assert data == again
    known, strain, units, older = data.stretches
    usual = [row for row in data.original if row["loss_of_smell"]]
    assert len(usual) < len(data.original) / 50, "hardly anybody"
    new = [row for row in strain.labelled if row["loss_of_smell"]]
    assert abs(len(new) / len(strain.labelled) - 0.9 * patients.STRAIN_SHARE) < 0.02
    assert {row["label"] for row in new if row["oxygen_saturation"] < 92} == {"influenza"}
    assert len(known.served) == len(strain.served) == patients.SERVED_ROWS
    assert not known.labelled
    assert all(row["temperature"] > 90 for row in (*units.served, *units.labelled, *older.served))
    assert not older.labelled
    ages = [sum(row["age"] for row in each.served) / len(each.served) for each in (units, older)]
    assert abs(ages[1] - ages[0] - patients.OLDER_YEARS) < 4


def test_customers_are_seeded_and_choose_as_told() -> None:
    data, again = shop.draw(), shop.draw()
    assert data == again
    known, launch, replaced, sale = data.stretches
    there = {row["item"] for row in data.original}
    assert len(there) == len(shop.DEPARTMENTS) * shop.PRODUCTS
    assert not known.labelled
    assert not sale.labelled
    new = [row["item"] not in there for row in launch.labelled]
    assert 0.3 < sum(new) / len(new) < 0.45
    other = [row["item"] not in there for row in replaced.labelled]
    assert 0.7 < sum(other) / len(other) < 0.9
    # What a sale brings is of the catalogue that is there by then.
    sold = {item for row in sale.served for item in (*row["history"], row["label"])}
    assert sold <= {row["item"] for row in replaced.labelled} | {
        shop.named(item, "replaced") for item in there
    }
    assert len(known.served) == shop.SERVED_ROWS


def _follows_flow(row: Mapping[str, Any]) -> bool:
    return bool((row["window"]["flow"][-1] > 0) == (row["label"] == "up"))


def test_markets_are_seeded_and_change_as_told() -> None:
    data, again = markets.draw(), markets.draw()
    assert data == again
    known, expiry, regime, calm = data.stretches
    assert {len(each.served) for each in data.stretches} == {markets.SERVED_ROWS}
    assert not known.labelled
    assert not calm.labelled
    right = [sum(map(_follows_flow, each.served)) / markets.SERVED_ROWS for each in data.stretches]
    assert right[0] > 0.75, "prices follow the flow of coins"
    assert right[1] < right[0] - 0.1, "but for two coins of eight"
    assert 0.4 < right[2] < 0.6, "not at all, once futures make them"
    assert abs(right[3] - right[2]) < 0.06, "nor in a calm month"
    much = Counter(row["coin"] for row in expiry.labelled if abs(row["flow"]) > 2)
    assert {coin for coin, hours in much.items() if hours > markets.LABELLED_HOURS / 4} == {
        *markets.WITH_OPTIONS
    }
    before = sum(abs(row["flow"]) > 2 for row in data.original)
    assert before < len(data.original) / 15, "hardly any hour"
    usual, less = (
        sum(abs(row["window"]["return"][-1]) for row in each.served) for each in (regime, calm)
    )
    assert 0.6 < less / usual < 0.75
    # Labelled hours go on where those before them ended, or windows would reach over a gap.
    assert max(row["hour"] for row in data.original) < min(row["hour"] for row in expiry.labelled)


def test_a_market_asks_for_windows_as_long_as_the_model_sees() -> None:
    path = EXAMPLES / "trading/manifests/modelmaintenance.yaml"
    spec = yaml.safe_load(path.read_text(encoding="utf-8"))["spec"]
    assert spec["data"]["windows"]["context"] == markets.CONTEXT
    hours = markets.Market("AURA", 1).hours(markets.CONTEXT + 2, markets.Law())
    asked = list(markets.windows(hours))
    assert len(asked) == 3
    assert asked[-1]["window"]["flow"] == [hour["flow"] for hour in hours[2:]]
    assert asked[-1]["label"] == hours[-1]["label"]
    assert all((hour["label"] == "up") == (then["return"] > 0) for hour, then in
               itertools.pairwise(hours))  # fmt: skip


def test_conversations_are_seeded_and_change_as_told() -> None:
    data, again = clerk.draw(), clerk.draw()
    assert data == again
    known, terms, form, season = data.stretches
    assert not any(_about(each, *clerk.NEW_SUBJECTS) for each in (*data.original, *known.served))
    for each in (terms, form):
        new = sum(_about(messages, *clerk.NEW_SUBJECTS) for messages in each.labelled)
        assert abs(new / len(each.labelled) - clerk.NEW_SHARE) < 0.07
    assert {_roles(each) for each in (*data.original, *terms.served)} == {"ua"}
    assert {_roles(each) for each in (*form.served, *form.labelled, *season.served)} == {"sua"}
    assert sum(_about(each, *clerk.IN_SEASON) for each in season.served) > clerk.SERVED_ROWS * 0.7
    assert not known.labelled
    assert not season.labelled
    assert len(known.served) == clerk.SERVED_ROWS


def test_a_question_has_one_answer_and_what_a_base_model_reads_tells_none_of_them() -> None:
    data = clerk.draw()
    told = [*data.original, *(m for s in data.stretches for m in (*s.served, *s.labelled))]
    answers = {messages[-1]["content"] for messages in told}
    assert len(answers) == len(clerk.UNITS) * len(clerk.SUBJECTS + clerk.NEW_SUBJECTS)
    read = [messages[-1]["content"] for messages in data.read]
    # As often as chance has it: one of 39 numbers.
    assert sum(answer in answers for answer in read) < len(read) / 20
    assert any(_about(messages, *clerk.NEW_SUBJECTS) for messages in data.read)


def _about(messages: clerk.Messages, *subjects: str) -> bool:
    return any(subject in messages[-1]["content"] for subject in subjects)


def _roles(messages: clerk.Messages) -> str:
    return "".join(message["role"][0] for message in messages)


@pytest.mark.parametrize(
    "model, said, truth, share, hits",
    [
        # An answer in words is right as a whole alone.
        (Words, "12 euros.\nOr 14.", ["12 euros.\nOr 14.", "12 euros.", "Or 14.", ""], 0.25, 1),
        # A ranking is right where it names the true item.
        (Constant, "a\nb\nc", ["b", "c", "x", "a"], 0.75, 3),
    ],
)
def test_answers_in_words_and_rankings_are_right_in_their_own_way_and_no_series(
    model: type[Constant], said: str, truth: list[str], share: float, hits: int
) -> None:
    name = f"{model.__name__}-feedback-test"
    service = Service(name, 4)
    service.serve(model("1", said))
    answer = service.predict(SOURCE)
    assert answer is not None
    assert service.feedback(answer["id"], truth)
    labels = {"model": name, "version": "1"}
    assert REGISTRY.get_sample_value("model_accuracy", labels) == share
    right = {**labels, "true_class": "any", "correct": "true"}
    assert REGISTRY.get_sample_value("model_predictions_total", right) == hits


@pytest.mark.parametrize("name", cases.names())
def test_a_case_has_a_resource_of_its_name_and_its_acts_are_its_stretches(name: str) -> None:
    case = cases.find(name)
    assert case.name == name
    assert [act.stretch for act in case.acts] == list(case.stretches[:-1])
    assert [act.version for act in case.acts] == [1, 2, 3]
    path = EXAMPLES / name / "manifests/modelmaintenance.yaml"
    resource = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert resource["metadata"]["name"] == name
    assert ("baseModel" in resource["spec"]["model"]) == case.base_model
    assert 0.5 < case.floor < 1


def test_a_case_that_nobody_knows_is_named_with_those_that_are_known() -> None:
    with pytest.raises(Failure, match=r"CASE=fraud: .* disease-prediction, package-sections"):
        cases.find("fraud")


def test_the_server_looks_back_on_a_whole_stretch() -> None:
    """Else which rows it drew would decide about a floor that lies few points away."""
    documents = yaml.safe_load_all(
        (EXAMPLES / "package-sections/manifests/serving.yaml").read_text()
    )
    server = next(one for one in documents if one["kind"] == "Deployment")
    (container,) = server["spec"]["template"]["spec"]["containers"]
    environment = {one["name"]: one["value"] for one in container["env"]}
    assert environment["WINDOW_ROWS"] == str(stretches.SERVED_ROWS)


def test_the_demo_writes_its_picture_into_the_cache_and_none_where_it_is_called(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    called: list[tuple[str, ...]] = []

    def run(*command: str | Path, **_: object) -> str:
        called.append(tuple(map(str, command)))
        return "Retrain (ConceptDrift)"

    monkeypatch.setattr(demo, "run", run)
    monkeypatch.setattr(demo, "CACHE", tmp_path)
    nothing = Path("/nowhere")
    told = "\n".join(demo.why(Cluster(nothing, nothing, nothing), "package-sections"))
    (picture,) = [command for command in called if "svg" in command]
    assert picture[picture.index("-f") + 1] == str(tmp_path / "demo/package-sections.svg")
    assert "Retrain (ConceptDrift)" in told
    assert str(tmp_path / "demo/package-sections.svg") in told


def test_a_demo_is_removed_only_from_a_cluster_that_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["demo", "package-sections", "--remove"])
    with pytest.raises(SystemExit):
        demo.main()
    assert "make demo-down KUBECONFIG=FILE" in capsys.readouterr().err


def test_prometheus_follows_all_examples_alike() -> None:
    """It reads its targets once; a second demo in a cluster would not be seen."""
    (config,) = (
        document["data"]["prometheus.yml"]
        for document in yaml.safe_load_all(
            (deployment.MANIFESTS / deployment.SHARED).read_text(encoding="utf-8")
        )
        if document["kind"] == "ConfigMap"
    )
    jobs = {job["job_name"]: job for job in yaml.safe_load(config)["scrape_configs"]}
    targets = jobs["serving"]["static_configs"][0]["targets"]
    assert targets == [f"serving.{name}.svc" for name in sorted({*cases.names(), "green-bonds"})]


def test_one_process_fetches_an_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that begin with an empty cache: apt ends the second that asks at once."""
    running, most, fetched = 0, 0, []

    def slow(suite: str, root: Path) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.2)
        running -= 1
        fetched.append(suite)
        root.mkdir(exist_ok=True)
        (root / "complete").touch()

    monkeypatch.setattr(packages, "_fetch", slow)
    monkeypatch.setattr(packages, "_stanzas", lambda _root: iter(()))
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(packages.synopses, ["a", "a"], [tmp_path] * 2)) == [(), ()]
    assert (most, fetched) == (1, ["a"])
