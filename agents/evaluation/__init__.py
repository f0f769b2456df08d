"""Offline evaluation: the agents themselves on events from a file, in one process and without Kafka."""
