"""How fast something works, estimated as it works."""

FOLLOW = 0.2
"""Weight of the newest measurement: ten of them outweigh all before."""


class Speed:
    """Seconds for a unit of work, exponentially averaged. Work costs `units` times that."""

    def __init__(self) -> None:
        self.seconds_per_unit = 0.0
        """0: nothing was measured."""

    def add(self, units: float, seconds: float) -> None:
        """So much work took so long."""
        if units > 0:
            measured = seconds / units
            known = self.seconds_per_unit
            self.seconds_per_unit = measured if not known else known + FOLLOW * (measured - known)

    def seconds(self, units: float) -> float:
        """How long so much work will take."""
        return units * self.seconds_per_unit
