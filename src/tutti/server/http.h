// HTTP as the routes see it: whole requests in, whole or streamed responses out. http_server.h
// moves the bytes.
//
// Ownership: an Exchange is shared by the transport and whoever answers; the last one frees it.
// Threads: all of Exchange from any thread. Errors: none; a client that has gone away is no error.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tutti/engine.h"

namespace tutti::server {

class KeyLimits;
struct Route;

struct Header {
  std::string name;  // of requests in lower case
  std::string value;
};

// Who asks, as far as a key tells.
struct Caller {
  std::string name;  // of the key; empty without one
  TenantId tenant{};
  std::shared_ptr<KeyLimits> limits;  // shared by all requests of the key; null: none
  std::shared_ptr<void> permit;       // one of the key's places while the request lives
};

struct HttpRequest {
  std::string method;  // "POST"
  std::string path;    // percent-decoded, without the query; begins with "/"
  std::string query;   // as sent, without "?"
  std::vector<Header> headers = {};
  std::string body = {};  // whole, within the limit of the route
  std::string remote_address;
  std::string id;  // the client's x-request-id where it is printable and short, else a new one

  // From the front door (front_door.h), if there is one:
  const Route* route = nullptr;
  std::vector<std::string> parameters;  // what the route's pattern leaves open
  Caller caller;

  // The first header of this name (in lower case), empty where there is none.
  std::string_view Find(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::vector<Header> headers = {};
  std::string body = {};
};

// One request and the way back to its client. Ends with Respond, or with Begin, Writes and End;
// letting go of an exchange that nobody answered answers 500.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual const HttpRequest& request() const = 0;
  // Added to whatever the response will be: limits that remain, for example.
  virtual void AddHeader(std::string name, std::string value) = 0;

  virtual void Respond(HttpResponse response) = 0;

  // A response whose body (response.body is its beginning) comes in pieces.
  virtual void Begin(HttpResponse response) = 0;
  // False when the client is gone, or reads so slowly that it was given up.
  virtual bool Write(std::string piece) = 0;
  virtual void End() = 0;

  // `abandoned` is called once, soon, when the client goes away or is given up before the end: at
  // once where that has happened already. It must own what it uses.
  virtual void OnAbandoned(std::function<void()> abandoned) = 0;
};

// Called on a thread of the transport: must return soon (work goes to other threads).
using HttpHandler = std::function<void(std::shared_ptr<Exchange>)>;

}  // namespace tutti::server
