// The routes of the server: which paths there are, and what each does.
#pragma once
#include "tutti/server/router.h"
#include "tutti/server/service.h"

namespace tutti::server {

// The service must outlive the router.
Router MakeRouter(Service& service);

}  // namespace tutti::server
