"""Why a broker on this machine is not there; part of the tree in `agents.errors`.

BrokerError
└── LocalBrokerError         the message says what is wrong and how to mend it
    ├── LocalKafkaError      Java, Maven, a port, or Apache Kafka itself
    └── EmbeddedBrokerError  the process with the embedded broker
"""

from agents.errors import BrokerError


class LocalBrokerError(BrokerError):
    """A broker on this machine could not be started, asked or stopped."""


class LocalKafkaError(LocalBrokerError):
    """Apache Kafka on this machine could not be started or stopped."""


class EmbeddedBrokerError(LocalBrokerError):
    """The embedded broker did not start."""
