// Where the members of a ThreadPool wait for a run, come in, and are waited for.
//
// One word says which run it is, whether one may come in and how many did. Into a run for all
// everybody has to come. A run for comers is over when its leader closes it: he waits for those
// that came in, not for those that had no processor until then; they find it closed and wait for
// the next one. What a run works on lies on the leader's stack: only who came in may touch it.
//
// Threads: one leader calls Open..., Close and Stop; each other member calls Enter and Leave.
// Errors: none.
#pragma once
#include <atomic>
#include <cstdint>

namespace tutti::os {

class RunGate {
 public:
  // The run that a member has seen last; at first the gate's `before`.
  using Seen = uint64_t;
  static constexpr int kMostMembers = 0xffff;

  explicit RunGate(Seen before = 0) : word_(before * kRun) {}

  // Begins a run that each of `others` enters.
  void OpenForAll(int others);
  // Begins a run for those that come before it is closed.
  void OpenForComers() { Begin(kComers); }
  // Ends the run: nobody enters it from now on, and all who did have left.
  void Close();
  // From now on Enter returns false.
  void Stop() { Begin(kStop); }

  // Waits for a run after `seen` and enters it: then Leave is due. False after Stop.
  bool Enter(Seen& seen);
  // What the member did in the run is seen by the leader after Close.
  void Leave();

 private:
  // The word: members that entered, three flags, the number of the run (it begins again after
  // 2^45).
  static constexpr uint64_t kEntered = kMostMembers;
  static constexpr uint64_t kComers = uint64_t{1} << 16;
  static constexpr uint64_t kAll = uint64_t{1} << 17;
  static constexpr uint64_t kStop = uint64_t{1} << 18;
  static constexpr uint64_t kRun = uint64_t{1} << 19;

  void Begin(uint64_t flag);

  // On cache lines of their own: every member polls the first, every member writes the second.
  alignas(64) std::atomic<uint64_t> word_;
  // Those that have to leave, less those that left: below zero while comers leave an open run.
  alignas(64) std::atomic<int32_t> unfinished_{0};
};

}  // namespace tutti::os
