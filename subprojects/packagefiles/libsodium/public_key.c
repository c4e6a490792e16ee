// libsodium's own multiplication by the base point has a table of 30 KB, which a node that makes one key in its life does
// not need: X25519 of the base point 9 (RFC 7748) is the same. The function is static there, so its file is taken whole.
#include "crypto_scalarmult/curve25519/ref10/x25519_ref10.c"

int sodium_x25519_public_key(unsigned char* public_key, const unsigned char* private_key);

int sodium_x25519_public_key(unsigned char* public_key, const unsigned char* private_key) {
    static const unsigned char base[32] = {9};
    return crypto_scalarmult_curve25519_ref10(public_key, private_key, base);
}

/// -1 where the other's key is a point of small order.
int sodium_x25519_shared_secret(unsigned char* secret, const unsigned char* private_key, const unsigned char* other);

int sodium_x25519_shared_secret(unsigned char* secret, const unsigned char* private_key, const unsigned char* other) {
    return crypto_scalarmult_curve25519_ref10(secret, private_key, other);
}
