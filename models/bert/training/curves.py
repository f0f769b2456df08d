"""Scalars for TensorBoard, where it is installed and wanted."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

from models.bert.training.examples import DataError
from models.bert.training.trainer import Told


class Curves:
    """Writes loss, step width and figures by step into a folder; None: nowhere."""

    def __init__(self, folder: Path | None) -> None:
        """Raises DataError if TensorBoard is wanted and not installed."""
        self._writer: Any = None
        if folder is not None:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError as exc:
                raise DataError("TensorBoard is not installed: pip install 'profilestream[train]'") from exc
            writer: Any = SummaryWriter
            self._writer = writer(str(folder))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def add(self, told: Told) -> None:
        """One step, or the figures of an epoch."""
        if self._writer is None:
            return
        if told.figures is None:
            self._writer.add_scalar("train/loss", told.loss, told.step)
            self._writer.add_scalar("train/rate", told.rate, told.step)
            return
        for name, value in told.figures.items():
            self._writer.add_scalar(f"validation/{name.replace('@', '_at_')}", value, told.step)
