// What every request passes before a route's handler sees it: Host and Origin, the route table, the
// key, its limits. Decided from the headers, before the body is read.
//
//   options.admit = [&](HttpRequest& request) { return door.Admit(request); };
//   handler = [&](std::shared_ptr<Exchange> exchange) { door.Handle(std::move(exchange)); };
//
// Ownership: the keys must outlive it. Threads: any. Errors: become answers, in the shape of the
// route's API.
#pragma once
#include <memory>

#include "tutti/server/http.h"
#include "tutti/server/http_options.h"
#include "tutti/server/keys.h"
#include "tutti/server/origin.h"
#include "tutti/server/router.h"

namespace tutti::server {

class FrontDoor {
 public:
  // Without keys (null) everybody may do everything.
  FrontDoor(Router router, OriginRules origins, const KeyRing* keys)
      : router_(std::move(router)), origins_(std::move(origins)), keys_(keys) {}

  // Fills in the request's route, parameters and caller, or answers it.
  Admission Admit(HttpRequest& request) const;
  // Of admitted requests only.
  void Handle(std::shared_ptr<Exchange> exchange) const;

  const Router& router() const { return router_; }

 private:
  std::optional<ApiError> CheckCaller(HttpRequest& request, std::vector<Header>* headers) const;

  Router router_;
  OriginRules origins_;
  const KeyRing* keys_;
};

}  // namespace tutti::server
