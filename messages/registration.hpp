#pragma once

namespace lathe {

/// Makes CAF know every type of the type-id block. Call it before an actor system is made; errors
/// with a sentence call it by themselves. Calling it again does nothing.
void register_messages();

} // namespace lathe
