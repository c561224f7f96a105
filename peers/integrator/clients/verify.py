"""Verifies a token with PyJWT against the keys behind a URL: verify.py JWKS_URL TOKEN ISSUER AUDIENCE"""
import json
import sys

import jwt

url, token, issuer, audience = sys.argv[1:]
key = jwt.PyJWKClient(url).get_signing_key_from_jwt(token)
required = {"require": ["sub", "iat", "exp", "jti", "iss", "aud"]}
claims = jwt.decode(token, key.key, algorithms=["RS256"], issuer=issuer, audience=audience, options=required)
print(json.dumps({"header": jwt.get_unverified_header(token), "claims": claims}))
