"""P against NumPy, from the same neighbours: each row's Gaussian by root finding in double precision,
joint probabilities by their definition; and against scikit-learn where it is installed."""
import os
import subprocess
import sys

try:
    import numpy as np
except ImportError:
    sys.exit(77)

N, D, K, PERPLEXITY = 600, 12, 45, 15.0


def neighbours(x):
    d2 = ((x[:, None, :].astype(np.float64) - x[None, :, :]) ** 2).sum(-1)
    np.fill_diagonal(d2, np.inf)
    index = np.argsort(d2, axis=1, kind="stable")[:, :K].astype(np.uint32)
    return index, np.sqrt(np.take_along_axis(d2, index.astype(np.int64), 1)).astype(np.float32)


def run(driver, index, distance, perplexities):
    env = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    out = subprocess.run([driver, str(N), str(K), *map(str, perplexities)],
                         input=index.tobytes() + distance.tobytes(),
                         stdout=subprocess.PIPE, check=True, env=env).stdout
    triples = np.frombuffer(out, [("row", np.uint32), ("column", np.uint32), ("value", np.float32)])
    p = np.zeros((N, N))
    p[triples["row"], triples["column"]] = triples["value"]
    return p


def conditional(d2, perplexity):
    """The row's probabilities at the beta whose entropy is log(perplexity), by bisection in log beta."""
    d2 = d2 - d2.min()
    low, high = -60.0, 60.0
    for _ in range(70):
        beta = np.exp((low + high) / 2)
        w = np.exp(-beta * d2)
        entropy = np.log(w.sum()) + beta * (w * d2).sum() / w.sum()
        low, high = ((low + high) / 2, high) if entropy > np.log(perplexity) else (low, (low + high) / 2)
    return w / w.sum()


def joint(index, distance, perplexities):
    p = np.zeros((N, N))
    for i in range(N):
        d2 = distance[i].astype(np.float64) ** 2
        p[i, index[i]] = np.mean([conditional(d2, each) for each in perplexities], axis=0)
    return (p + p.T) / (2 * N)


def relative_gap(p, q):
    assert ((p > 0) == (q > 0)).all(), "P has other non-zero entries than it should"
    return np.abs(p[q > 0] / q[q > 0] - 1)


def main():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N, D)).astype(np.float32)
    x[: N // 2] *= 3
    index, distance = neighbours(x)
    for perplexities in ([15.0], [5.0], [2.0, 15.0, 40.0], [44.9]):
        p = run(sys.argv[1], index, distance, perplexities)
        gap = relative_gap(p, joint(index, distance, perplexities))
        print(f"against NumPy, perplexity {perplexities}: largest relative gap {gap.max():.2e}")
        assert gap.max() < 1e-6
        assert (p == p.T).all()
    p = run(sys.argv[1], index, distance, [PERPLEXITY])
    try:
        from scipy.sparse import csr_matrix
        from sklearn.manifold._t_sne import _joint_probabilities_nn
    except ImportError:
        print("scikit-learn is not installed: not compared with it")
        return
    d2 = csr_matrix((distance.ravel().astype(np.float64) ** 2, index.ravel().astype(np.int64),
                     np.arange(0, N * K + 1, K)), shape=(N, N))
    other = _joint_probabilities_nn(d2, PERPLEXITY, 0).toarray()
    gap = relative_gap(p, other)
    # scikit-learn stops its search at an entropy within 1e-5, and its tails feel that most
    print(f"against scikit-learn: median {np.median(gap):.2e}, largest {gap.max():.2e}")
    assert np.median(gap) < 1e-5 and gap.max() < 1e-3


main()
