"""What is in ``deploy/`` fits the program: settings, commands, versions, ports and times. No
container is started here.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
import typer
import yaml  # type: ignore[import-untyped]  # as in test_watching

from actors import ray_knobs
from actors.ray_node import RaySettings
from deploy.compose import stage
from gateway.cli import app
from gateway.demo.children import VENDGATE
from gateway.demo.stage import machine_names
from gateway.fleet.v1 import fleet_service_pb2, fleet_service_pb2_grpc
from gateway.process.configs import configs
from gateway.process.settings import CONFIG_VARIABLE, PREFIX, Settings, load
from gateway.rpc.limits import EdgeLimits

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())
KUBERNETES = [
    document
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    for document in yaml.safe_load_all(path.read_text())
]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NOTICE_S = EdgeLimits().move_notice_ms / 1_000
STOP_S = NOTICE_S + EdgeLimits().move_deadline_ms / 1_000 + 25
"""How long an orderly stop may take (docs/operations.md, Starting)."""


def of_kind(kind: str) -> list[Any]:
    """The Kubernetes objects of a kind."""
    return [document for document in KUBERNETES if document.get("kind") == kind]


def pods() -> Iterator[tuple[str, Any]]:
    """Each pod's specification, with whose it is."""
    for one in (*of_kind("Deployment"), *of_kind("Job")):
        yield one["metadata"]["name"], one["spec"]["template"]["spec"]
    (cluster,) = of_kind("RayCluster")
    groups = [cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]]
    for group in groups:
        yield group.get("groupName", "head"), group["template"]["spec"]


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every command line of the program itself, as what the image or a unit runs."""
    for name, service in COMPOSE["services"].items():
        if service["image"].startswith("vendgate:") and "entrypoint" not in service:
            yield f"compose {name}", list(service["command"])
    for name, pod in pods():
        for container in pod["containers"]:
            if "args" in container:
                yield f"kubernetes {name}", list(container["args"])
    for path in units():
        for line in re.findall(r"^ExecStart=(.*)$", path.read_text(), re.MULTILINE):
            program, *arguments = shlex.split(line)
            if program != "/opt/vendgate/bin/ray":
                assert "/opt/vendgate/bin/vendgate" == program
                yield path.name, arguments
    script = (DEPLOY / "gateway-in-cluster.sh").read_text()
    yield "gateway-in-cluster.sh", shlex.split(re.findall(r"exec vendgate (.*)", script)[0])[:-1]
    yield "Dockerfile", json.loads(re.findall(r"^CMD (.*)$", dockerfile(), re.MULTILINE)[0])


def units() -> list[Path]:
    """Return the files of systemd's units, those of a cluster too."""
    return sorted((DEPLOY / "systemd").rglob("*.service"))


def dockerfile() -> str:
    return (DEPLOY / "Dockerfile").read_text()


def test_every_command_is_one_of_the_program_s() -> None:
    """With every one of its options."""
    program: Any = typer.main.get_command(app)
    seen = set()
    for who, arguments in commands():
        command, rest = program, list(arguments)
        context = program.context_class(program)
        while hasattr(command, "get_command"):
            command = command.get_command(context, name := rest.pop(0))
            assert command is not None, f"{who}: {name}"
        command.make_parser(context).parse_args(rest)
        seen.add(command.name)

    assert {"serve", "upgrade", "alipay", "machines", "audit"} == seen


def test_ray_is_started_with_options_that_it_has() -> None:
    """In compose, in the gateway's script, and as KubeRay will from its parameters."""
    ray = Path(sys.executable).with_name("ray")
    help_text = subprocess.run(
        [ray, "start", "--help"], capture_output=True, text=True, check=True
    ).stdout
    given = [
        option
        for service in COMPOSE["services"].values()
        if service.get("entrypoint", [""])[0] == "ray"
        for option in (*service["entrypoint"], *service["command"])
        if option.startswith("--")
    ]
    script = (DEPLOY / "gateway-in-cluster.sh").read_text()
    given += re.findall(r"--[a-z-]+", re.findall(r"^ray start .*$", script, re.MULTILINE)[0])
    for path in units():
        for line in re.findall(r"^ExecStart=\S*/ray (.*)$", path.read_text(), re.MULTILINE):
            given += [option for option in shlex.split(line) if option.startswith("--")]
    (cluster,) = of_kind("RayCluster")
    for group in (cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]):
        given += [f"--{name}" for name in group["rayStartParams"]]

    assert 30 < len(given)
    for option in given:
        assert re.search(rf"{option.partition('=')[0]}\b", help_text), option


def test_documents_make_room_of_what_hosts_ask_for() -> None:
    """Processors: of a resource that nobody asks for a node may have plenty, and nobody comes."""
    told = [
        line.strip()
        for path in (ROOT / "docs").rglob("*.md")
        for line in path.read_text().splitlines()
        if line.strip().startswith("ray start ")
    ]

    assert RaySettings(run_dir=Path()).host_cpus < 1
    assert len(told) > 1
    assert all("--num-cpus" in line and "--resources" not in line for line in told), told


def test_the_steps_of_an_upgrade_are_those_of_postgresql() -> None:
    """A cluster has no other database, and ``vendgate backup`` refuses that one."""
    steps = (ROOT / "docs" / "operations.md").read_text().split("## Upgrading")[1].split("```")[1]
    commands = re.findall(r"^vendgate (\w+)", steps, re.MULTILINE)

    assert ["audit", "db", "hosts", "hosts"] == commands


def test_the_folder_of_the_database_is_there_before_the_database() -> None:
    """``useradd --system`` makes no home, and systemd makes it with the first start of the unit,
    which comes later: the user alone may make nothing in ``/var/lib``.
    """
    steps = (DEPLOY / "README.md").read_text().split("## systemd")[1].split("```")[1].splitlines()
    made = [n for n, line in enumerate(steps) if re.search(r"^install .*/var/lib/vendgate", line)]
    upgraded = [n for n, line in enumerate(steps) if "db upgrade" in line]

    assert (1, 1) == (len(made), len(upgraded))
    assert made < upgraded


def test_every_variable_is_a_setting() -> None:
    """In its table, by the name that the environment has for it."""
    named = {
        variable
        for path in DEPLOY.rglob("*")
        if path.is_file() and path.suffix not in {".txt", ".json", ".pyc"}
        if path.relative_to(DEPLOY).parts[0] != "kit"  # a machine has none, and is built there
        for variable in re.findall(rf"\b{PREFIX}[A-Z0-9_]+", path.read_text())
    }
    assert {CONFIG_VARIABLE, "VENDGATE_RAY__RUN_DIR"} <= named
    for variable in named - {CONFIG_VARIABLE}:
        model: Any = Settings
        for part in variable.removeprefix(PREFIX).lower().split("__"):
            assert part in model.model_fields, variable
            model = model.model_fields[part].annotation


def test_the_files_of_settings_hold_settings() -> None:
    """Nothing in them is misspelt, whoever's secrets are missing."""
    for folder in ("compose", "kubernetes"):
        made = load(DEPLOY / folder / "vendgate.toml")
        assert ("cluster", "/proc/1/fd/2") == (made.ray.mode, str(made.logs.hosts_file))


def test_compose_s_settings_are_accepted_whole(tmp_path: Path) -> None:
    """With the secrets that its first service makes, once."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    stage.main(["prepare", str(folder), "2"])
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    stage.main(["prepare", str(folder), "2"])
    shutil.copy(DEPLOY / "compose" / "vendgate.toml", tmp_path)
    made = configs(load(tmp_path / "vendgate.toml"))

    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert made.storage.url.startswith("postgresql+asyncpg://vendgate:")
    assert made.machines_tls is not None
    assert all(0 == path.stat().st_mode & 0o077 for path in folder.glob("*_key.pem"))


async def test_compose_s_administrator_takes_the_machines_in(tmp_path: Path) -> None:
    """Over TLS, with the certificates that were made, as often as it is started; a machine's
    certificate is no administrator's.
    """
    folder = tmp_path / "secrets"
    folder.mkdir()
    names = machine_names(2)
    stage.prepare(folder, names)
    shutil.copy(DEPLOY / "compose" / "vendgate.toml", tmp_path)
    (folder / "database_url").write_text(f"sqlite:///{tmp_path / 'vendgate.db'}")
    anywhere = {
        f"{PREFIX}{server}__LISTEN": "127.0.0.1:0"
        for server in ("MACHINES", "ADMIN", "HTTP", "HEALTH")
    }
    gateway = subprocess.Popen(  # noqa: ASYNC220 - it is only waited for
        [*VENDGATE, "serve", "--no-ray", "--json-ready"],
        env={
            **os.environ,
            **anywhere,
            CONFIG_VARIABLE: str(tmp_path / "vendgate.toml"),
            f"{PREFIX}RAY__MODE": "none",
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert gateway.stdout is not None
        admin = json.loads(gateway.stdout.readline())["admin"].replace("127.0.0.1", "localhost")
        for _ in range(2):
            await stage.take_in(folder, admin, names)
        assert sorted(names) == await _registered(folder, admin, "admin")
        with pytest.raises(grpc.aio.AioRpcError):
            await _registered(folder, admin, names[0])
    finally:
        gateway.terminate()
        gateway.communicate()


async def _registered(folder: Path, address: str, who: str) -> list[str]:
    credentials = grpc.ssl_channel_credentials(
        (folder / "ca.pem").read_bytes(),
        (folder / f"{who}_key.pem").read_bytes(),
        (folder / f"{who}.pem").read_bytes(),
    )
    async with grpc.aio.secure_channel(address, credentials) as channel:
        fleet = fleet_service_pb2_grpc.FleetServiceStub(channel)
        answer = await fleet.ListMachines(fleet_service_pb2.ListMachinesRequest())
    return sorted(machine.machine_id for machine in answer.machines)


def test_what_is_run_has_a_version() -> None:
    """No image, and no package of the image, is whatever is newest on that day."""
    images = [service["image"] for service in COMPOSE["services"].values()]
    images += re.findall(r"^FROM (\S+)", dockerfile(), re.MULTILINE)
    (kustomization,) = of_kind("Kustomization")
    (own,) = kustomization["images"]
    images.append(f"{own['name']}:{own['newTag']}")
    (cluster,) = of_kind("RayCluster")
    ray = re.findall(r"^ray==(\S+)", (DEPLOY / "locks" / "image.txt").read_text(), re.MULTILINE)

    assert all(re.search(r":\d+\.\d+", image) for image in images), images
    assert {f"vendgate:{PROJECT['version']}"} == {
        image for image in images if image.startswith("vendgate:")
    }
    assert [cluster["spec"]["rayVersion"]] == ray
    assert "--require-hashes -r deploy/locks/image.txt" in dockerfile()


def test_the_image_runs_what_the_suite_ran() -> None:
    """Each package of the image is of the version that the tests were run with."""
    pins = {
        name: dict(
            re.findall(r"^([a-z0-9-]+)==(\S+)", (DEPLOY / "locks" / name).read_text(), re.MULTILINE)
        )
        for name in ("dev.txt", "image.txt")
    }
    both = pins["dev.txt"].keys() & pins["image.txt"].keys()

    assert {"ray", "grpcio", "sqlalchemy", "asyncpg"} <= both
    assert {name: pins["dev.txt"][name] for name in both} == {
        name: pins["image.txt"][name] for name in both
    }


def test_whatever_is_copied_is_there_and_let_in() -> None:
    """Into the image, from a context that holds nothing else."""
    allowed = [
        line.removeprefix("!")
        for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    ]
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.*)$", dockerfile(), re.MULTILINE)
        for source in [word for word in line.split() if not word.startswith("--")][:-1]
    ]

    assert sorted(allowed) == sorted(copied)
    assert all((ROOT / source).exists() for source in copied)


def test_what_documents_have_copied_are_files() -> None:
    """A folder among them stops the line, and what stands behind it is not done."""
    lines = re.findall(r"^cp (deploy/.+) /etc/", (DEPLOY / "README.md").read_text(), re.MULTILINE)
    assert 4 == len(lines)
    for pattern in " ".join(lines).split():
        found = list(ROOT.glob(pattern))
        assert found, pattern
        assert all(path.is_file() for path in found), pattern


def test_who_is_stopped_has_time_for_it() -> None:
    """Everywhere longer than an orderly stop may take."""
    compose = COMPOSE["services"]["gateway-1"]["stop_grace_period"]
    (deployment,) = of_kind("Deployment")
    unit = (DEPLOY / "systemd" / "vendgate.service").read_text()
    given = [
        float(compose.removesuffix("s")),
        deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"],
        float(re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)[0]),
    ]

    assert all(seconds > STOP_S for seconds in given), given


def test_a_drain_waits_until_balancers_have_noticed() -> None:
    """Whoever asks whether a gateway is ready believes its no before the first machine is asked to
    come back; Kubernetes drains before it ends anybody.
    """
    (deployment,) = of_kind("Deployment")
    (gateway,) = deployment["spec"]["template"]["spec"]["containers"]
    probe = gateway["readinessProbe"]
    ((every, falls),) = re.findall(
        r"inter (\d+)s fall (\d+)", (DEPLOY / "compose" / "haproxy.cfg").read_text()
    )

    assert probe["periodSeconds"] * probe["failureThreshold"] < NOTICE_S
    assert int(every) * int(falls) < NOTICE_S
    assert ["vendgate", "drain"] == gateway["lifecycle"]["preStop"]["exec"]["command"]


def test_a_unit_never_gives_up() -> None:
    """``serve`` ends within seconds while its database is away; after some such ends systemd would
    start it no more, and nobody would sell until a person came.
    """
    for name, restarted in (
        ("vendgate.service", "on-failure"),
        ("cluster/vendgate-ray-head.service", "always"),
        ("cluster/vendgate-ray-node.service", "always"),
    ):
        unit = (DEPLOY / "systemd" / name).read_text()
        assert ["0"] == re.findall(r"^StartLimitIntervalSec=(.*)$", unit, re.MULTILINE), name
        assert [restarted] == re.findall(r"^Restart=(.*)$", unit, re.MULTILINE), name


def test_whoever_makes_a_gateway_take_memory_takes_none_of_others() -> None:
    """Unit, pod and container have a limit; a child that dies of it does not end the unit."""
    unit = (DEPLOY / "systemd" / "vendgate.service").read_text()
    assert re.search(r"^MemoryMax=\d+%$", unit, re.MULTILINE)
    assert re.search(r"^OOMPolicy=continue$", unit, re.MULTILINE)
    for name, pod in pods():
        for container in pod["containers"]:
            assert "memory" in container["resources"]["limits"], name
    compose = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())
    gateways = [one for name, one in compose["services"].items() if name.startswith("gateway")]
    assert gateways
    assert all("mem_limit" in one and "max-size" in str(one["logging"]) for one in gateways)


def test_no_pod_is_more_than_it_must_be() -> None:
    """Nobody is root, asks Kubernetes for anything, or holds a Secret that everybody may read; and
    what a pod mounts it has.
    """
    seen = dict(pods())
    assert {"vendgate-gateway", "vendgate-migrate", "head", "hosts"} == seen.keys()
    for name, pod in seen.items():
        assert not pod["automountServiceAccountToken"], name
        assert pod["securityContext"]["runAsNonRoot"], name
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        assert all(
            0o440 == volume["secret"]["defaultMode"]
            for volume in volumes.values()
            if "secret" in volume
        )
        for container in pod["containers"]:
            own = container["securityContext"]
            assert not own["allowPrivilegeEscalation"], name
            assert ["ALL"] == own["capabilities"]["drop"], name
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes.keys()


def test_whoever_drains_a_node_gets_done() -> None:
    """One pod after the other. A RayCluster has no scale subresource, so Kubernetes can count a
    budget over its pods by a number that stays alone; one that may be away lets none go.
    """
    budgets = {one["metadata"]["name"]: one["spec"] for one in of_kind("PodDisruptionBudget")}
    (deployment,) = of_kind("Deployment")
    (cluster,) = of_kind("RayCluster")
    (group,) = cluster["spec"]["workerGroupSpecs"]
    gateways, hosts = budgets.pop("vendgate-gateway"), budgets.pop("vendgate-ray-host")

    assert {} == budgets
    assert 1 < deployment["spec"]["replicas"]
    assert 1 == gateways["maxUnavailable"]
    assert "maxUnavailable" not in hosts
    assert group["replicas"] - 1 == hosts["minAvailable"]


def test_services_lead_to_ports_that_are_there() -> None:
    """By name, and each of the gateway's doors has its way in."""
    (deployment,) = of_kind("Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    settings = load(DEPLOY / "kubernetes" / "vendgate.toml")
    targets = [port["targetPort"] for one in of_kind("Service") for port in one["spec"]["ports"]]

    assert sorted(ports) == sorted(targets)
    assert {
        "machines": settings.machines.address.port,
        "admin": settings.admin.address.port,
        "http": settings.http.address.port,
        "health": settings.health.address.port,
    } == ports
    for kind in ("livenessProbe", "readinessProbe", "startupProbe"):
        assert container[kind]["httpGet"]["port"] in ports


@pytest.mark.parametrize(
    "command",
    [
        ["hadolint", "deploy/Dockerfile"],
        ["kubectl", "kustomize", "deploy/kubernetes"],
        ["haproxy", "-c", "-f", "deploy/compose/haproxy.cfg"],
        ["sh", "-n", "deploy/gateway-in-cluster.sh"],
    ],
    ids=lambda command: command[0],
)
def test_the_field_s_own_judges_find_nothing(command: Sequence[str]) -> None:
    """Those that are installed here."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert 0 == done.returncode, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_reads_the_units(tmp_path: Path) -> None:
    """With a program that is there in the place of ours; a gateway also as one of a cluster."""
    read = []
    for path in (*units(), *(DEPLOY / "systemd").glob("*.timer")):
        read.append(tmp_path / path.name)
        read[-1].write_text(re.sub(r"/opt/vendgate/bin/\w+", "/bin/true", path.read_text()))
    assert 5 == len(read)
    added = tmp_path / "vendgate.service.d" / "in-cluster.conf"
    added.parent.mkdir()
    shutil.copy(DEPLOY / "systemd" / "cluster" / added.name, added)
    done = subprocess.run(["systemd-analyze", "verify", *read], capture_output=True, text=True)

    assert (0, "") == (done.returncode, done.stderr)


def test_ray_is_told_what_it_needs_to_recover() -> None:
    """By compose, Kubernetes and units alike: on the head, on each node, and on a gateway's own."""
    told = [
        {one["name"]: one.get("value") for one in container["env"]}
        for name, pod in pods()
        for container in pod["containers"]
        if name in {"head", "hosts", "vendgate-gateway"}
    ]
    names = ("ray-head", "ray-worker", "gateway-1", "gateway-2")
    told += [COMPOSE["services"][name]["environment"] for name in names]

    lines = (DEPLOY / "systemd" / "cluster" / "ray.env").read_text().splitlines()
    told.append(dict(line.split("=") for line in lines if not line.startswith("#")))

    assert 8 == len(told)
    for environment in told:
        assert environment.items() >= ray_knobs.CLUSTER.items()
