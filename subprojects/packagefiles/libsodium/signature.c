// What libsodium's check of Ed25519 signatures (RFC 8032) needs of the file that makes them: the start of the hash. A
// node makes none.
#include "crypto_hash_sha512.h"
#include "sign_ed25519_ref10.h"

void _crypto_sign_ed25519_ref10_hinit(crypto_hash_sha512_state* state, int prehashed) {
    (void)prehashed;  // a node checks plain Ed25519 alone
    (void)crypto_hash_sha512_init(state);
}
