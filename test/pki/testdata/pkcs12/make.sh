#!/bin/sh
# Makes the files here anew: OpenSSL 3.0 or later with its legacy provider, and a JDK 17 or later.
# The keys are thrown away after use in tests; nothing trusts the certificates.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
days=36500

# name, issuer ("-": itself), extensions, then how the key is made
certificate() {
  name=$1 issuer=$2 extensions=$3
  shift 3
  openssl genpkey "$@" -out "$work/$name.key" 2>/dev/null
  openssl req -new -key "$work/$name.key" -subj "/CN=$name" -out "$work/$name.csr"
  printf '%s\n' "$extensions" >"$work/$name.ext"
  if [ "$issuer" = - ]; then
    openssl x509 -req -in "$work/$name.csr" -key "$work/$name.key" -days $days \
      -extfile "$work/$name.ext" "${hash:--sha256}" -out "$work/$name.crt" 2>/dev/null
  else
    openssl x509 -req -in "$work/$name.csr" -CA "$work/$issuer.crt" -CAkey "$work/$issuer.key" \
      -CAcreateserial -days $days -extfile "$work/$name.ext" -sha256 -out "$work/$name.crt" 2>/dev/null
  fi
}

ca='basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign'
# What public CAs write beside the usual: policies, SCTs, Microsoft's template, all kinds of names.
leaf='basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature,keyEncipherment
extendedKeyUsage=serverAuth,clientAuth
subjectAltName=DNS:www.example.com,DNS:*.example.com,IP:192.0.2.1,IP:2001:db8::1,URI:https://example.com/,email:ops@example.com,otherName:1.3.6.1.4.1.311.20.2.3;UTF8:ops@example.com
certificatePolicies=2.23.140.1.2.2
authorityInfoAccess=OCSP;URI:http://ocsp.example.com,caIssuers;URI:http://ca.example.com/ca.crt
1.3.6.1.4.1.11129.2.4.2=ASN1:FORMAT:HEX,OCTETSTRING:0000
1.2.3.4=critical,ASN1:UTF8String:unknown'
rsa='-algorithm RSA -pkeyopt rsa_keygen_bits:2048'
ec='-algorithm EC -pkeyopt ec_paramgen_curve:P-256'

certificate root - "$ca" $rsa
certificate intermediate root "$ca" $ec
certificate rsa intermediate "$leaf" $rsa
certificate ec intermediate "$leaf" $ec
certificate p384 intermediate "$leaf" -algorithm EC -pkeyopt ec_paramgen_curve:P-384
certificate p521 intermediate "$leaf" -algorithm EC -pkeyopt ec_paramgen_curve:P-521
certificate ed25519 intermediate "$leaf" -algorithm ED25519
certificate p256k intermediate "$leaf" -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1
certificate small intermediate "$leaf" -algorithm RSA -pkeyopt rsa_keygen_bits:1024
certificate self - "$leaf" $ec
hash=-sha1
certificate sha1_root - "$ca" $rsa
hash=-sha256
certificate under_sha1_root sha1_root "$leaf" $ec

cat "$work/intermediate.crt" "$work/root.crt" >"$work/above.pem"

# file, leaf, then options of openssl pkcs12
pfx() {
  file=$1 name=$2
  shift 2
  openssl pkcs12 -export -name 'a friendly name' -inkey "$work/$name.key" -in "$work/$name.crt" \
    -passout pass: -out "$file.pfx" "$@"
}
vault='-keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1 -iter 2000'

pfx vault_rsa rsa $vault -certfile "$work/above.pem" -CSP 'Microsoft Software Key Storage Provider'
pfx vault_ec ec $vault -certfile "$work/above.pem"
pfx vault_leaf_alone ec $vault
pfx vault_without_root ec $vault -certfile "$work/intermediate.crt"
pfx vault_self self $vault
pfx vault_p256k p256k $vault
pfx aes_rsa rsa -certfile "$work/above.pem"
pfx aes_ec ec -certfile "$work/above.pem"
pfx aes_mixed p384 -keypbe AES-128-CBC -certpbe AES-192-CBC -macalg sha384 -certfile "$work/above.pem"
pfx two_key_3des ec -keypbe PBE-SHA1-2DES -certpbe PBE-SHA1-2DES -macalg sha512
pfx unencrypted ec -keypbe NONE -certpbe NONE -certfile "$work/above.pem"
pfx one_iteration ec -keypbe PBE-SHA1-3DES -certpbe AES-256-CBC -noiter -nomaciter
pfx legacy_rc2_40 ec -legacy
pfx legacy_rc2_128 ec -legacy -keypbe PBE-SHA1-RC2-128 -certpbe PBE-SHA1-RC2-128
pfx without_mac ec -nomac
pfx many_iterations ec -iter 3000000 -keypbe AES-256-CBC -certpbe NONE -macalg sha256 -nomaciter
openssl pkcs12 -export -nokeys -in "$work/ec.crt" $vault -passout pass: -out without_key.pfx
openssl pkcs12 -export -inkey "$work/ec.key" -in "$work/ec.crt" -passout pass:changeit -out password.pfx

# Java writes the same entries its own way: through keytool, which wants a password ...
openssl pkcs12 -export -name a -inkey "$work/rsa.key" -in "$work/rsa.crt" -certfile "$work/above.pem" \
  -passout pass:changeit -out "$work/for_java.pfx"
keytool_to() {
  file=$1
  shift
  keytool "$@" -importkeystore -noprompt -srckeystore "$work/for_java.pfx" -srcstorepass changeit \
    -destkeystore "$file.pfx" -deststoretype PKCS12 -deststorepass changeit 2>/dev/null
}
rm -f keytool*.pfx
keytool_to keytool
keytool_to keytool_3des -J-Dkeystore.pkcs12.certProtectionAlgorithm=PBEWithSHA1AndDESede \
  -J-Dkeystore.pkcs12.keyProtectionAlgorithm=PBEWithSHA1AndDESede \
  -J-Dkeystore.pkcs12.macAlgorithm=HmacPBESHA1
keytool_to keytool_mixed -J-Dkeystore.pkcs12.certProtectionAlgorithm=PBEWithHmacSHA1AndAES_128 \
  -J-Dkeystore.pkcs12.keyProtectionAlgorithm=PBEWithHmacSHA512AndAES_256 \
  -J-Dkeystore.pkcs12.macAlgorithm=HmacPBESHA512
keytool_to keytool_legacy -J-Dkeystore.pkcs12.legacy

# ... and through its KeyStore, for blank ones.
cat >"$work/Blank.java" <<'JAVA'
import java.io.*;
import java.security.KeyStore;

class Blank {
  public static void main(String[] files) throws Exception {
    var from = KeyStore.getInstance(new File(files[0]), "changeit".toCharArray());
    var to = KeyStore.getInstance("PKCS12");
    to.load(null, null);
    var blank = new char[0];
    to.setKeyEntry("a", from.getKey("a", "changeit".toCharArray()), blank, from.getCertificateChain("a"));
    try (var out = new FileOutputStream(files[1])) { to.store(out, blank); }
  }
}
JAVA
java "$work/Blank.java" "$work/for_java.pfx" java_blank.pfx
java -Dkeystore.pkcs12.certProtectionAlgorithm=PBEWithSHA1AndDESede \
  -Dkeystore.pkcs12.keyProtectionAlgorithm=PBEWithSHA1AndDESede \
  "$work/Blank.java" "$work/for_java.pfx" java_blank_3des.pfx

# PEM: what tests put together, and keys in all forms.
for name in root intermediate rsa ec p384 p521 ed25519 self small sha1_root under_sha1_root; do
  cp "$work/$name.crt" "$name.crt.pem"
done
for name in rsa ec p384 p521 ed25519 self small p256k under_sha1_root; do cp "$work/$name.key" "$name.key.pem"; done
openssl pkey -traditional -in "$work/rsa.key" -out rsa.pkcs1.pem
openssl pkey -traditional -in "$work/ec.key" -out ec.sec1.pem
openssl pkey -aes256 -passout pass:secret -in "$work/ec.key" -out ec.encrypted.pem
openssl rsa -traditional -aes256 -passout pass:secret -in "$work/rsa.key" -out rsa.encrypted_pkcs1.pem 2>/dev/null
