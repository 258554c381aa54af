"""``python -m tinygrad_bp`` is ``tinygrad-bp``."""

import sys

from tinygrad_bp.terminal.cli import main

sys.exit(main())
