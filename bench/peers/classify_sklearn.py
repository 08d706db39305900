"""What anybody would write with scikit-learn: classify_sklearn.py TEST TRAIN prints one JSON object."""

import json
import resource
import sys
import time
from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline


def read(path: str) -> tuple[list[str], list[str]]:
    """Texts and kinds."""
    with Path(path).open() as file:
        rows = [json.loads(line) for line in file if line.strip()]
    return [f"{row['title']} {row['body'] or ''}" for row in rows], [row["kind"] for row in rows]


def main(test: str, train: str) -> dict[str, float]:
    """Learn, decide, measure."""
    start = time.process_time()
    texts, kinds = read(train)
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    model = make_pipeline(words, LogisticRegression(C=10, max_iter=1000))
    model.fit(texts, kinds)
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    asked, true = read(test)
    said = model.predict(asked)
    start = time.process_time()
    for number in range(50):
        model.predict(
            [f"The page of hive {number} is wrong " + "When I open the page of a hive it shows an error. " * 120]
        )
    each = (time.process_time() - start) * 1000 / 50
    f1 = f1_score(true, said, average="macro")
    return {"f1": f1, "train_seconds": seconds, "peak_mb": peak, "decision_ms": each}


print(json.dumps(main(*sys.argv[1:3])))
