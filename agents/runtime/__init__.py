"""Faust, safe and fast: one batch and one transaction for each fetch, exactly once.

| file             | what it is for                                                            |
|------------------|---------------------------------------------------------------------------|
| `worker.py`, `process.py` | starts a worker, runs its agent; data folder, signals, end       |
| `engine.py`      | what is different from plain Faust                                        |
| `positions.py`   | which fetched records are to be absorbed                                  |
| `fetching.py`    | batches without Faust, for the scorer                                     |
| `absorber.py`    | one batch in one transaction; what failed, and whose fault it was         |
| `outbox.py`      | records of a small batch leave together                                   |
| `batch.py`, `gather.py`, `transaction.py`, `agent.py` | what an agent sees                   |
| `table.py`, `store.py`, `restore.py` | rows on disk, following the changelog                 |
| `following.py`, `progress.py`, `standby.py` | reads a changelog; what is said of it; copies for others |
| `seal.py`, `offsets.py` | what rows add up to and stand for; whether the offsets fit them     |
| `crashes.py`     | a batch that keeps ending the process is taken record by record           |
| `view.py`        | read-only copies of compacted topics                                      |
| `clients.py`, `reading.py` | options of every Kafka client; a record as it was read          |
| `refusal.py`     | which right is missing, or why there is no answer                         |
| `dead_letters.py`, `metrics.py`, `health.py`, `lag.py` | what operators look at; stalls      |
"""
