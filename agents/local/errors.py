"""Why a broker on this machine is not there.

LocalBrokerError       the message says what is wrong and how to mend it; the command line prints it and exits with 1
├── LocalKafkaError    Java, Maven, a port, or Apache Kafka itself
└── EmbeddedBrokerError  the process with the embedded broker
"""


class LocalBrokerError(Exception):
    """A broker on this machine could not be started, asked or stopped."""


class LocalKafkaError(LocalBrokerError):
    """Apache Kafka on this machine could not be started or stopped."""


class EmbeddedBrokerError(LocalBrokerError):
    """The embedded broker did not start."""
