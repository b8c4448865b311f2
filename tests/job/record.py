"""The record: what ranks send each other and what stages compute, beside sums made here from the rows, their neighbours
and the partition alone; options; digests."""
import json
import os
import re

import h5py
import numpy as np

from harness import SOURCE, digests, folder, succeed

ROWS, COLUMNS, K, BLOCK = 3000, 16, 30, 128  # columns fill SSNE_LANES
STEPS = 120
OUT = folder()
X = os.path.join(OUT, "x.npy")
rng = np.random.default_rng(7)
np.save(X, (4 * rng.normal(size=(10, COLUMNS))[rng.integers(0, 10, ROWS)] + rng.normal(size=(ROWS, COLUMNS))).astype("f4"))


def own_rows(ranks):
    """Whole blocks, none more than the first's."""
    blocks = -(-ROWS // BLOCK)
    starts = [min(ROWS, -(-blocks * r // ranks) * BLOCK) for r in range(ranks + 1)]
    return np.diff(starts)


def record(ranks, out, *options, repulsion="exact"):
    log = os.path.join(OUT, "log.jsonl")
    if os.path.exists(log):
        os.unlink(log)
    succeed("embed", "--features", X, "--out", out, "--perplexity", 10, "--neighbours", "exact", "--repulsion", repulsion,
            "--early-iterations", 60, "--iterations", 60, "--log", log, *options, ranks=ranks)  # fmt: skip
    with open(log) as lines:
        events = [json.loads(line) for line in lines]
    stages = {e["stage"]: e for e in events if e["event"] == "stage"}
    traffic = {(e["during"], e["kind"]): e for e in events if e["event"] == "traffic"}
    (options,) = (e["options"] for e in events if e["event"] == "options")
    assert (options["perplexity"], options["late-exaggeration"], options["features"]) == ("10", "1", X), options
    told = {e["of"]: e["digest"] for e in events if e["event"] == "digest"}
    assert told.pop("features") and told == {name: digests(out)[name] for name in ["/embedding/coordinates"]}, told
    return stages, traffic, [e for e in events if e["event"] == "iteration"]


def entries(out):
    """Entries of P in memory: of i j and j i where either is a neighbour of the other, rows filled up to eights."""
    with h5py.File(out) as file:
        index = file["neighbours/index"][:, :K].astype(np.int64)
    pairs = np.repeat(np.arange(ROWS), K) * ROWS + index.ravel()
    both = np.unique(np.concatenate([pairs, pairs % ROWS * ROWS + pairs // ROWS]))
    lengths = np.bincount(both // ROWS, minlength=ROWS)
    return int((-(-lengths // 8) * 8).sum())


def check_traffic(ranks, stages, traffic, kept):
    """`kept`: the traffic of a run that found the neighbours in the file."""
    own = own_rows(ranks)
    kinds = {kind: e for (during, kind), e in traffic.items() if during == "command"}
    # to rank 0, all coordinates but its own, two numbers of four bytes each; no other call of that kind
    assert kinds["MPI_Send"]["bytes_sent"] == 8 * (ROWS - own[0]), kinds["MPI_Send"]
    assert kinds["MPI_Send"]["calls"] == kinds["MPI_Send"]["messages"] == ranks - 1
    assert (kinds["MPI_Send"]["max_sent"], own[kinds["MPI_Send"]["max_sent_rank"]]) == (8 * max(own[1:]), max(own[1:]))
    assert kinds["MPI_Recv"]["max_received_rank"] == 0 and kinds["MPI_Recv"]["messages"] == 0
    # round the ring: every row with its number, to all ranks but its own
    ring = kinds["MPI_Isend"]["bytes_sent"] - kept[("command", "MPI_Isend")]["bytes_sent"]
    assert ring == (ranks - 1) * ROWS * (4 * COLUMNS + 4), ring
    assert 0 <= stages["neighbours"]["bytes_sent"] - ring < 4096 * ranks
    for sends, receives in (("MPI_Send", "MPI_Recv"), ("MPI_Isend", "MPI_Irecv")):
        assert kinds[sends]["bytes_sent"] == kinds[receives]["bytes_received"] > 0, kinds
    for kind, e in kinds.items():
        part = traffic.get(("descent", kind), {"calls": 0, "bytes_sent": 0})
        assert part["calls"] <= e["calls"] and part["bytes_sent"] <= e["bytes_sent"], (kind, part, e)
        assert e["max_sent"] * ranks >= e["bytes_sent"] and e["max_received"] * ranks >= e["bytes_received"], e
    named = sum(s["bytes_sent"] for name, s in stages.items() if not name.startswith(" "))
    assert 0 < named <= sum(e["bytes_sent"] for e in kinds.values()), named


def check_work(out, stages, records):
    """The same for any number of ranks."""
    stored, evaluations = entries(out), STEPS + 1
    expected = {
        "neighbours": (ROWS * ROWS * (2 * COLUMNS + 3), ROWS * ROWS * 4 * (COLUMNS + 1) / 512 + 8 * K * ROWS),
        "attraction": (12 * stored * evaluations + (40 * stored + ROWS) * records,
                       (16 * stored + 28 * ROWS) * (evaluations + records)),
        "repulsion": (13 * ROWS * ROWS * evaluations, 8 * ROWS * ROWS * evaluations),
    }  # fmt: skip
    for name, (flops, moved) in expected.items():
        found = stages[name]["flops"], stages[name]["bytes_moved"]
        assert np.allclose(found, (flops, moved), rtol=1e-12, atol=0), (name, found, (flops, moved))
    assert stages["step"]["flops"] == 0 < stages["affinities"]["flops"]


def check_mesh():
    """Nodes in sixteens, enough for the map at steps of 0.4 and less; the same work on any number of ranks."""
    found = {}
    for ranks in (1, 3):
        stages, _, records = record(ranks, os.path.join(OUT, f"mesh{ranks}.h5"), repulsion="mesh")
        for e in records:
            assert all(n > 0 and n % 16 == 0 for n in e["mesh"]) and max(e["mesh"]) >= e["span"] / 0.4 + 5, e
        parts = {name: stages[f"  mesh {name}"]["flops"] for name in ("spread", "transform", "gather")}
        found[ranks] = [[e["mesh"] for e in records], *(round(flops) for flops in parts.values())]
        assert (parts["spread"], parts["gather"]) == (84 * ROWS * (STEPS + 1), 422 * ROWS * (STEPS + 1)), parts
    assert found[1] == found[3], found


def check_calls():
    """What the build without MPI declares is all that the program calls: each of it is counted, or sends nothing."""
    silent = {"Init_thread", "Finalize", "Abort", "Error_string", "Get_processor_name", "Get_library_version",
              "Comm_rank", "Comm_size", "Comm_dup", "Comm_split", "Comm_split_type", "Comm_free",
              "Comm_create_errhandler", "Comm_set_errhandler", "Errhandler_free", "Type_contiguous", "Type_commit",
              "Type_free", "Test", "Testall", "Wait", "Waitall"}  # fmt: skip
    with open(os.path.join(SOURCE, "src", "parallel", "single", "mpi.h")) as file:
        called = set(re.findall(r"^int MPI_(\w+)\(", file.read(), re.M))
    with open(os.path.join(SOURCE, "src", "parallel", "traffic.c")) as file:
        counted = set(re.findall(r"^int MPI_(\w+)\(", file.read(), re.M))
    assert len(called) > 30 and called - silent <= counted, f"not counted: {sorted(called - silent - counted)}"


check_calls()
for ranks in (1, 2, 3, 4):
    out = os.path.join(OUT, f"run{ranks}.h5")
    stages, traffic, records = record(ranks, out)
    assert [e["iteration"] for e in records] == [0, 50, 60, 100, 120] and all(e["mesh"] == [0, 0] for e in records), records
    check_work(out, stages, len(records))
    if ranks == 1:
        assert traffic == {} and all(s["bytes_sent"] == 0 for s in stages.values()), traffic
    else:
        check_traffic(ranks, stages, traffic, kept=record(ranks, out, "--fresh")[1])
check_mesh()
