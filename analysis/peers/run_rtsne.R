# Rtsne: Barnes-Hut (van der Maaten's code, with OpenMP). Started by compare-peers with name=value arguments;
# reads row-major float32, writes the map so, and prints what it took as JSON, reading left out.
suppressMessages(library(Rtsne))
given <- list()
for (argument in commandArgs(TRUE)) given[sub("=.*", "", argument)] <- sub("[^=]*=", "", argument)
early <- as.integer(given$early)
rows <- as.integer(given$rows)
columns <- as.integer(given$columns)
X <- matrix(readBin(given$raw, "numeric", rows * columns, size = 4), rows, columns, byrow = TRUE)

start <- proc.time()[["elapsed"]]
first <- prcomp(X, rank. = 2)$x
first <- first / sd(first[, 1]) * 1e-4
found <- Rtsne(X,
  perplexity = as.numeric(given$perplexity), Y_init = first, pca = FALSE, normalize = FALSE,
  check_duplicates = FALSE, max_iter = early + as.integer(given$iterations), stop_lying_iter = early,
  mom_switch_iter = early, exaggeration_factor = as.numeric(given$exaggeration),
  eta = rows / as.numeric(given$exaggeration), num_threads = as.integer(given$cores)
)
seconds <- proc.time()[["elapsed"]] - start

writeBin(as.numeric(t(found$Y)), given$out, size = 4)
cat(sprintf('{"seconds": %.3f}\n', seconds))
