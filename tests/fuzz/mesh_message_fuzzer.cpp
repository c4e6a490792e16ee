// Messages of a member inside the tunnel: several, each with two bytes of length before it. They may say what they
// like; this node stays one of its members, keeps its own word, and answers each by a bounded number of messages.
#include "mesh_world.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace thole;
    using namespace thole::mesh;
    FuzzNode node;
    Reader in({data, size});
    while (in.left() > 2) {
        const auto length = static_cast<std::size_t>(in.number(2));
        const Bytes message = in.bytes(std::min(length, in.left()));
        node.world.inside = 0;
        node.mesh.on_inside(public_key(1), message, node.now);
        expect(node.world.inside <= 64);
        expect(node.world.outside == 0);
        const auto record = read_record(message);
        if (record) {
            const auto again = encoded(*record);
            expect(std::ranges::equal(again.content(), message));
        }
        node.now = node.now + milliseconds(600);
        node.mesh.tick(node.now);
    }
    expect(node.mesh.self().record().name() == "fuzzed");
    expect(node.mesh.members().all().size() <= kMostMembers);
    const PublicKey* before = nullptr;
    for (const auto& member : node.mesh.members().all()) {
        expect(before == nullptr || *before < member->key());
        before = &member->key();
        expect(member->check == hash("thole record", {member->content()}).prefix());
    }
    return 0;
}
