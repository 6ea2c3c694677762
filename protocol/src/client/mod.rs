//! What a client does with frames: pure state machines, shared by every client.
