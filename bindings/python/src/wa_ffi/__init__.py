"""Third-party chats with WhatsApp: the client, for asyncio.

`__init__.pyi` lists everything with its types. What is generated from the library is in `wa_ffi.wa_ffi`, what Python itself
adds in `wa_ffi.aio`.
"""

from .wa_ffi.wa_ffi import *
from .aio import Events, empty_mailbox, keep_connected, open_client
