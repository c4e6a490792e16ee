#include "datastore.hpp"

#include "base/text.hpp"
#include "config/kubernetes_keys.hpp"

namespace thole::kubernetes {

std::string datastore_environment(const NodeConfig& config) {
    if (!is_kubernetes_server(config)) {
        return {};
    }
    if (!has_etcd(config)) {
        // One server has one of each controller, and need not write every few seconds that it is still the one.
        return "DATASTORE=sqlite\nDATASTORE_URL=unix:///run/kine/kine.sock\nDATASTORE_CA=\nDATASTORE_CERTIFICATE=\n"
               "DATASTORE_KEY=\nLEADER_ELECTION=false\n";
    }
    return concat(
        "DATASTORE=etcd\nDATASTORE_URL=https://127.0.0.1:2379\n"
        "DATASTORE_CA=/etc/kubernetes/pki/etcd/ca.crt\n"
        "DATASTORE_CERTIFICATE=/etc/kubernetes/pki/apiserver-etcd-client.crt\n"
        "DATASTORE_KEY=/etc/kubernetes/pki/apiserver-etcd-client.key\nLEADER_ELECTION=true\nSERVERS=",
        config.text("kubernetes.servers"), "\n");
}

}  // namespace thole::kubernetes
