import unittest
from fractions import Fraction

from larder import Quantity


class QuantityTest(unittest.TestCase):
    def test_reads_amounts_as_people_write_them(self):
        for text, amount in [("2", 2), ("1/2", "1/2"), ("1 1/2", "3/2"), ("1½", "3/2"), ("0.25", "1/4")]:
            with self.subTest(text):
                quantity, rest = Quantity.parse([*text.split(), "kg", "flour"])
                self.assertEqual((quantity, rest), (Quantity(Fraction(amount), "kg"), ["flour"]))

    def test_a_word_that_is_no_unit_belongs_to_the_name(self):
        self.assertEqual(Quantity.parse(["3", "large", "eggs"]), (Quantity(Fraction(3)), ["large", "eggs"]))

    def test_an_amount_must_be_there(self):
        with self.assertRaisesRegex(ValueError, "no amount in 'some salt'"):
            Quantity.parse(["some", "salt"])

    def test_writes_amounts_as_people_read_them(self):
        for amount, text in [("2", "2 g"), ("3/2", "1½ g"), ("2/5", "2/5 g"), ("1.03", "1.03 g")]:
            with self.subTest(text):
                self.assertEqual(str(Quantity(Fraction(amount), "g")), text)
