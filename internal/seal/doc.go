// Package seal encrypts what is kept at rest: bodies of records, and the names they are found by. It does no I/O.
//
// # Bodies
//
// [Seal] makes of a text and its associated data
//
//	 0  version   1   1
//	 1  key       8   id of the data key
//	 9  nonce    24   random
//	33  text          as long as the plain text
//	    tag      16
//
// with XChaCha20-Poly1305 (RFC 8439 and draft-irtf-cfrg-xchacha: nonces are long enough to be drawn at random). The first nine bytes are
// authenticated with the associated data, which the caller chooses so that a text cannot be moved to where it does not belong.
//
// # Names
//
// A name must be found again, so equal names give equal tokens: [Names.Token] is encryption with a synthetic nonce, after the idea of RFC
// 5297, made of HMAC-SHA256 and XChaCha20.
//
//	siv    16   the first bytes of HMAC-SHA256(authentication key, domain, 0, name)
//	name        XChaCha20 with the encryption key, and siv and eight zeroes as nonce
//
// in base64 of the alphabet for file names, without padding. The domain says what the name is of, so that a thread and a namespace of one
// name have different tokens. Without the key a token tells the length of its name, and which other tokens of the domain are equal to it.
//
// # Keys
//
// A master key is 32 bytes that a person keeps, written as "dashhost-key-1:" and base64. It seals a small document, [Vault], with the keys
// that do the work, so that a new master key, or a new data key, costs no rewriting:
//
//	{"format":1,"names":BASE64,"data":[{"id":HEX,"key":BASE64}, ...]}
//
// New texts are sealed with the last data key; the others open what was sealed before. The id of a key is the first 8 bytes of
// SHA-256("dashhost key id 1\n", key).
package seal
