// The bootstrap datagram: as it comes from strangers, and what a member may have sealed in it.
#include "mesh_world.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace thole;
    using namespace thole::mesh;
    static FuzzNode node;
    const Bytes input(data, size);
    const std::size_t peers = node.mesh.peer_count();
    node.now = node.now + milliseconds(100);
    node.mesh.on_outside(node.from, input, node.now);
    expect(node.world.outside == 0);
    expect(node.mesh.peer_count() == peers);

    std::array<std::uint8_t, kHelloTextSize> text{};
    std::copy_n(input.begin(), std::min(input.size(), text.size()), text.begin());
    const auto hello = read_hello(text);
    if (!hello) {
        return 0;
    }
    std::array<std::uint8_t, kHelloTextSize> again{};
    write_hello(again, *hello);
    expect(again == text);
    FuzzNode fresh;
    const auto datagram = seal_hello(HelloKeys(cluster_secret()), 0, std::array<std::uint8_t, kNonceSize>{}, *hello);
    const std::size_t before = fresh.mesh.peer_count();
    fresh.mesh.on_outside(fresh.from, datagram, fresh.now);
    // It does not know the challenge, so whatever it says it becomes no peer, and gets one answer at most.
    expect(fresh.mesh.peer_count() == before);
    expect(fresh.world.outside <= 1);
    return 0;
}
