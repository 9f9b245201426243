"""A person at a customer's program: registers, verifies, signs in. For the tests and the demo.

Passwords are whispered (--password-fd), so the customer has to be started with `secrets=True`.
"""

import re

PASSWORD = "correct horse battery staple"


def code_for(bank, email):
    """The newest code that the bank has shown its operator for this e-mail."""
    pattern = rf"verification code of {re.escape(email)}: (\S+)$"
    bank.wait_log(pattern)
    return re.findall(pattern, bank.log, re.MULTILINE)[-1]


def register(customer, email, name="Somebody", password=PASSWORD):
    customer.whisper(name, password, password)
    return customer.ok(f"register {email}")


def sign_in(customer, email, password=PASSWORD):
    customer.whisper(password)
    return customer.ok(f"sign-in {email}")


def make_known(world, customer, email, name="Somebody", password=PASSWORD):
    """Registered, verified and signed in."""
    register(customer, email, name, password)
    customer.expect(f"SUCCESS verify {email}", f"verify {code_for(world.bank, email)}")
    sign_in(customer, email, password)


def has_role(world, customer, email, role):
    """Known, signed in, and with this role, which the bank's operator gives."""
    make_known(world, customer, email)
    world.bank.expect(f"SUCCESS role {email} {role}", f"role {email} {role}")
