// What was freed goes back to the system, where the C library keeps it otherwise.
//
// Threads: UseOneHeap before there are others; ReturnFreeMemory any, and takes a few milliseconds
// where much was freed. Errors: none.
#pragma once

namespace tutti::os {

// All threads allocate from one heap: glibc gives each its own otherwise, whose end never goes
// back.
void UseOneHeap();
void ReturnFreeMemory();

}  // namespace tutti::os
