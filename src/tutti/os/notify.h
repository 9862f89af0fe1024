// Words to the service manager, as systemd's sd_notify has them: a datagram to the socket that it
// names in $NOTIFY_SOCKET.
//
// Threads: any. Errors: kIo where it cannot be said; a service runs on without.
#pragma once
#include <string>
#include <string_view>

#include "tutti/base/status.h"

namespace tutti::os {

// `state` is "READY=1", "STOPPING=1", "STATUS=..."; `socket` a path, or "@name" for an abstract
// one.
Status NotifyServiceManager(const std::string& socket, std::string_view state);

}  // namespace tutti::os
