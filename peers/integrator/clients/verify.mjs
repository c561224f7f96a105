// Verifies a token with npm `jose` against the keys behind a URL: node verify.mjs JWKS_URL TOKEN ISSUER AUDIENCE
import { createRemoteJWKSet, jwtVerify } from 'jose'

const [url, token, issuer, audience] = process.argv.slice(2)
const { payload, protectedHeader } = await jwtVerify(token, createRemoteJWKSet(new URL(url)), {
  algorithms: ['RS256'], audience, issuer, requiredClaims: ['sub', 'iat', 'exp', 'jti'],
})
console.log(JSON.stringify({ header: protectedHeader, claims: payload }))
