// The process that keeps a node's Kubernetes in step with its mesh: the files that the programs read when they start,
// what the node announces to others, and on agents the way to the servers.
#pragma once

#include <memory>
#include <string>

#include "balancer.hpp"
#include "config/node_config.hpp"
#include "os/event_loop.hpp"
#include "os/fd.hpp"

namespace thole::kubernetes {

/// Of this node; empty where it has none, or pods have none of the family.
struct NodeAddresses {
    std::string ipv4;
    std::string ipv6;
};

class NodeHost : private EventSource {
   public:
    static Result<std::unique_ptr<NodeHost>> make(NodeConfig config);
    ~NodeHost() override = default;
    NodeHost(const NodeHost&) = delete;
    NodeHost& operator=(const NodeHost&) = delete;
    NodeHost(NodeHost&&) = delete;
    NodeHost& operator=(NodeHost&&) = delete;

    /// All that must be there before another program starts. Waits for the node's address.
    Status prepare();

    /// Follows changes of the mesh, the pods' range and the secret. Does not return.
    [[noreturn]] void run();

   private:
    NodeHost(NodeConfig&& config, EventLoop&& loop, Fd&& changes, bool in_mesh, bool server)
        : config_(std::move(config)),
          loop_(std::move(loop)),
          changes_(std::move(changes)),
          in_mesh_(in_mesh),
          server_(server) {}

    void on_events(std::uint32_t events) override;
    Status watch();
    Status write_network();
    [[nodiscard]] Status write_server_keys() const;
    Status write_tokens();
    [[nodiscard]] Status announce() const;
    void use_servers();
    void refresh();
    void say_once(const Status& done);
    [[nodiscard]] NodeAddresses addresses() const;

    NodeConfig config_;
    EventLoop loop_;
    Fd changes_;
    std::unique_ptr<Balancer> balancer_;
    std::string mesh_nodes_;
    std::string said_;  // the last trouble
    bool in_mesh_;
    bool server_;
    bool ready_ = false;
    bool changed_ = false;
};

}  // namespace thole::kubernetes
