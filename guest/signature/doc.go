// Package signature says who vouches for a module: ed25519 signatures over its digest, in a file beside it.
//
// A signature file is text. Each line is one signature; lines that are empty or begin with # say nothing. The file of
// node.wasm is node.wasm.sig.
//
//	dashhost-signature-1 ed25519 KEYID SHA256 SIGNATURE
//
// KEYID is the id of the public key, SHA256 the digest of the module in hex, SIGNATURE 64 bytes in base64 (RFC 4648, with
// padding). What is signed is the text of the first four words, with single spaces between them and a line feed behind:
//
//	"dashhost-signature-1 ed25519 KEYID SHA256\n"
//
// so a signature is good for one algorithm, one key and one module, and cannot be mistaken for one of something else.
//
// A public key is written as "ed25519:" and its 32 bytes in base64. Its id is the first 16 hex digits of the SHA-256 of
// these bytes: for people, and to find the line to check; what counts is the signature. A secret key is the seed of RFC 8032,
// written as "ed25519-secret:" and 32 bytes in base64; it is not protected by a password.
//
// There is no time in a signature and nothing is ever withdrawn: to stop trusting a key, stop naming it.
package signature
