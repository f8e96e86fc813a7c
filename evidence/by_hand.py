"""README.txt of a bundle: how to check it with programs that every Linux has."""

README = r"""An evidence bundle of Fiducial
==============================

Everything that speaks for one version of a model. `fiducial verify BUNDLE.zip --key platform.pub.pem` checks all of it.
This page checks it without Fiducial. Take platform.pub.pem from the provider, not from this bundle: whoever forges a
bundle puts a key of their own inside.

  report.json, .html, .pdf   what was found on the test data; every number with its interval
  plan.yaml                  what was decided before the test data were opened
  pccp.yaml, decision.json   the change control plan, and what the gate decided
  ledger.json                every opening of the test data
  dataset.json               the dataset version; its digest is that of samples.parquet
  manifest.json, run.json    the model version, and the run that trained it
  params.yaml, dvc.lock, requirements.lock, sbom.cdx.json
                             with what it was trained
  signatures.json            who signed report.json, in which role, with what meaning, when
  attestation.dsse.json      the platform's signature over the SHA-256 of all files (DSSE, in-toto, SLSA provenance)

Unpack the bundle, go into the folder, put the provider's platform.pub.pem there, and run what stands below.

1. The platform's signature
---------------------------
T=$(mktemp -d)
sed 's/.*"payload":"\([^"]*\)".*/\1/' attestation.dsse.json | base64 -d > "$T/payload"
sed 's/.*"sig":"\([^"]*\)".*/\1/' attestation.dsse.json | base64 -d > "$T/sig"
{ printf 'DSSEv1 28 application/vnd.in-toto+json %d ' "$(wc -c < "$T/payload")"; cat "$T/payload"; } > "$T/signed"
openssl pkeyutl -verify -rawin -pubin -inkey platform.pub.pem -in "$T/signed" -sigfile "$T/sig"

It must say "Signature Verified Successfully". $T/payload is the statement: read in it who built what from what.

2. Every file
-------------
grep -o '{"digest":{"sha256":"[0-9a-f]*"},"name":"[^"]*"}' "$T/payload" |
  sed 's/.*"sha256":"\([0-9a-f]*\)"},"name":"\([^"]*\)"}/\1  \2/' > "$T/sums"
sha256sum --strict -c "$T/sums"

Each must say OK, and `ls` must show no file besides these and attestation.dsse.json.

3. Each person's signature
--------------------------
sha256sum report.json
grep '^{' signatures.json | sed 's/,$//' | while IFS= read -r line; do
  printf '%s' "$line" | sed 's/"signature":"[0-9a-f]*",//' > "$T/signed"
  printf '%s' "$line" | sed 's/.*"signature":"\([0-9a-f]*\)".*/\1/' | tr a-f A-F | basenc --base16 -d > "$T/sig"
  { printf 302A300506032B6570032100
    printf '%s' "$line" | sed 's/.*"public_key":"\([0-9a-f]*\)".*/\1/' | tr a-f A-F; } | basenc --base16 -d > "$T/key"
  cat "$T/signed"; echo
  openssl pkeyutl -verify -rawin -pubin -keyform DER -inkey "$T/key" -in "$T/signed" -sigfile "$T/sig"
done

Each must name the SHA-256 of report.json and say "Signature Verified Successfully".
"""
