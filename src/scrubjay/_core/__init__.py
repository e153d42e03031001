"""The store, compiled where there was a compiler, plain Python where there was none.

It is one object, made in levels. Each is a class in a module of its own, and extends the one before:

- what there is: `table` finds slots by key, `ledger` has all else that is known of them;
- steps, which run no user code: `eviction`, `dependencies`, `steps`;
- operations, which do, and then take a step: `inspection`, `removal`, `operations`, `ahead`;
- requests: `reading` answers them, `session_hits` those that have to keep a level;
- `store` is what the doors open onto.

Compiled, calls from one module into another go through a table of methods. What a hit needs in one
piece is therefore in one module.
"""

from __future__ import annotations

from scrubjay._core.ledger import Ledger
from scrubjay._core.section import is_uncompiled

compiled = not is_uncompiled(Ledger)
