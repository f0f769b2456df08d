"""Every error of the workers, as one small tree.

ProfilestreamError        says what is wrong and how to mend it; the command line prints it and exits
├── SettingsError         a wrong or missing setting                           exit code 2
├── SetupError            topics, model or data folder are not as needed       exit code 2
├── AccessError           a password, certificate or right is wrong or missing exit code 2
├── BrokerError           the broker is away or refuses                        exit code 4
├── FencedError           another worker took over; the supervisor restarts    exit code 3
├── AgentError            an agent failed on a batch; the supervisor restarts  exit code 3
└── RecordError           one input record is bad: it goes to the dead letters
"""


class ProfilestreamError(Exception):
    """Base of all; `exit_code` is what a process that ends with it returns."""

    exit_code = 1


class SettingsError(ProfilestreamError):
    """A setting has a wrong value."""

    exit_code = 2


class SetupError(ProfilestreamError):
    """Something that must be there before the start is not: topics, partitions, model, data folder."""

    exit_code = 2


class AccessError(ProfilestreamError):
    """A password, a certificate or a right is missing or wrong: to try again as before would not help."""

    exit_code = 2


class BrokerError(ProfilestreamError):
    """The broker does not answer or refuses the worker."""

    exit_code = 4


class FencedError(ProfilestreamError):
    """This worker lost its membership or its transactional id to another one."""

    exit_code = 3


class AgentError(ProfilestreamError):
    """An agent raised while it worked on a batch; nothing of the batch was committed."""

    exit_code = 3


class RecordError(ProfilestreamError):
    """A record breaks the documented format.

    `reason` is one of a small closed set of words (a metric label), `detail` says what to mend.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
