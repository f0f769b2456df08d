"""Measurements: throughput, latency, quality; and the script that cuts the sample."""
