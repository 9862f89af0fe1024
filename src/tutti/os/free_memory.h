// What was freed goes back to the system, where the C library keeps it otherwise.
//
// Threads: any; takes a few milliseconds where much was freed. Errors: none.
#pragma once

namespace tutti::os {

void ReturnFreeMemory();

}  // namespace tutti::os
