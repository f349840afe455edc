"""Patches from one version to the next: made by `fringe publish --previous`, read by stock zstd, applied by the daemon."""
import hashlib
import json
import pathlib
import random
import shutil
import subprocess
import unittest

from lab import WithSite, tool, wait_for

DELTA = "/.well-known/fringe/delta/"


class Patches(WithSite):
    def setUp(self):
        super().setUp()
        self.make_site({"app.js": 400_000, "sub/big.bin": 3_000_000, "same.bin": 200_000, "small.txt": 1000})
        self.old = self.lab.dir / "version-1"
        shutil.copytree(self.lab.static, self.old)

    def change(self, path, at, length, seed=7):
        data = bytearray(self.files[path])
        data[at:at + length] = random.Random(seed).randbytes(length)
        self.files[path] = bytes(data)
        (self.lab.static / path).write_bytes(data)

    def next_version(self):
        self.change("app.js", 1000, 5000)
        self.change("sub/big.bin", 2_000_000, 9000)
        self.change("small.txt", 0, 10)

    def publish_update(self):
        self.next_version()
        return self.lab.publish("--previous", str(self.old))

    def patches(self):
        return {path.name: path.read_bytes() for path in (self.lab.web / DELTA[1:]).iterdir()}

    def bundle(self, release):
        return next((bundle for bundle in release["bundles"] if bundle["base"] == DELTA), None)

    def visit_all(self, daemon):
        self.assertEqual(self.wrong_files(daemon), {})


class Publish(Patches):
    def test_stock_zstd_reads_a_patch(self):
        self.publish_update()
        out = self.lab.dir / "out"
        old = {hashlib.sha256(path.read_bytes()).digest(): path for path in self.old.rglob("*") if path.is_file()}
        made = {}
        for name, patch in self.patches().items():
            self.assertEqual(patch[:8], bytes.fromhex("5e2a4d1820000000"))
            path = old[patch[8:40]]
            subprocess.run([tool("zstd", "zstd"), "-q", "-d", "-f", f"--patch-from={path}", self.lab.web / DELTA[1:] / name, "-o", out], check=True)
            made[path.relative_to(self.old).as_posix()] = out.read_bytes(), len(patch)
        self.assertEqual(sorted(made), ["app.js", "sub/big.bin"])
        for path, (data, _) in made.items():
            self.assertTrue(data == self.files[path], path)
        self.assertLess(made["app.js"][1], 6000)
        self.assertLess(made["sub/big.bin"][1], 10000)

    def test_the_same_versions_give_the_same_patches(self):
        first, before = self.publish_update(), self.patches()
        shutil.rmtree(self.lab.web / DELTA[1:])
        second = self.lab.publish("--previous", str(self.old))
        self.assertTrue(self.patches() == before)
        self.assertEqual(self.bundle(second), self.bundle(first))
        self.assertEqual(self.bundle(first)["files"], 2)

    def test_patches_stay_as_long_as_they_lead_to_a_file_of_the_release(self):
        self.next_version()
        self.lab.publish("--previous", str(self.old), "--keep", "2")
        first = set(self.patches())
        second = self.lab.dir / "version-2"
        shutil.copytree(self.lab.static, second)
        self.change("app.js", 300_000, 100)  # sub/big.bin stays as it is
        release = self.lab.publish("--previous", str(second), "--keep", "2")
        self.assertEqual(self.bundle(release)["files"], 2)
        self.assertEqual(len(set(self.patches()) - first), 1)
        self.assertEqual(len(self.patches()), 3)  # the release before still has its own
        release = self.lab.publish("--keep", "2")  # nothing has changed
        self.assertEqual(self.bundle(release)["files"], 2)
        self.assertEqual(len(self.patches()), 2)
        self.change("app.js", 0, 400_000)
        self.change("sub/big.bin", 0, 3_000_000)
        release = self.lab.publish("--previous", str(second), "--keep", "2")
        self.assertIsNone(self.bundle(release))
        self.lab.publish("--keep", "2")
        self.assertEqual(self.patches(), {})

    def test_several_older_versions(self):
        self.next_version()
        second = self.lab.dir / "version-2"
        shutil.copytree(self.lab.static, second)
        self.change("app.js", 200_000, 100)
        release = self.lab.publish("--previous", str(self.old), "--previous", str(second))
        self.assertEqual(self.bundle(release)["files"], 3)

    def test_another_base_keeps_them(self):
        before = self.bundle(self.publish_update())
        other = self.lab.dir / "other"
        other.mkdir()
        (other / "x").write_text("x")
        self.lab.fringe("publish", str(other), "--site", self.lab.site, "--base", "/other/", "--key", str(self.lab.dir / "key.key"), "--out",
                        str(self.lab.web))
        release = json.loads((self.lab.web / ".well-known/fringe/release.json").read_text())
        self.assertEqual(sorted(bundle["base"] for bundle in release["bundles"]), [DELTA, "/other/", "/static/"])
        self.assertEqual(self.bundle(release), before)

    def test_a_patch_that_is_kept_must_be_what_it_was(self):
        self.publish_update()
        patch = next((self.lab.web / DELTA[1:]).iterdir())
        patch.write_bytes(patch.read_bytes()[:-1] + b"x")
        release = self.lab.publish()
        self.assertEqual(self.bundle(release)["files"], 1)
        release = self.lab.publish("--previous", str(self.old))
        self.assertEqual(self.bundle(release)["files"], 2)

    def test_a_file_whose_name_has_its_hash_in_it(self):
        for folder, name in (self.old, "lib.3f2a91c4.js"), (self.lab.static, "lib.77aa0b1c.js"):
            (folder / name).write_bytes(self.files["app.js"] + (b"" if folder == self.old else b"more"))
        release = self.lab.publish("--previous", str(self.old))
        self.assertEqual(self.bundle(release)["files"], 1)

    def test_what_is_wrong_with_the_option(self):
        for words, text in (
            (["--previous", str(self.lab.static)], "is the folder that is published"),
            (["--previous", str(self.lab.dir / "nowhere")], "nowhere is not a folder that can be read"),
            (["--previous", str(self.old)] * 9, "8 times at most"),
        ):
            with self.assertRaises(AssertionError) as caught:
                self.lab.publish(*words)
            self.assertIn(text, str(caught.exception))

    def test_nothing_has_changed(self):
        done = self.lab.fringe("publish", str(self.lab.static), "--site", self.lab.site, "--base", "/static/", "--key",
                               str(self.lab.dir / "key.key"), "--out", str(self.lab.web), "--previous", str(self.old))
        self.assertIn("no new patches", done.stdout)
        self.assertFalse((self.lab.web / DELTA[1:]).exists())


class Visit(Patches):
    def visitor_of_version_1(self):
        self.lab.origin()
        visitor = self.lab.daemon("visitor")
        self.visit_all(visitor)
        return visitor

    def test_an_update_fetches_the_patches_and_not_the_files(self):
        visitor = self.visitor_of_version_1()
        before = self.lab.origin_bytes()
        self.publish_update()
        self.visit_all(visitor)
        self.assertEqual(self.lab.origin_bytes() - before, len(self.files["small.txt"]))
        self.assertEqual(self.lab.origin_bytes(DELTA), sum(len(patch) for patch in self.patches().values()))
        visitor.stop()
        visitor.start()  # what was rebuilt is recorded
        self.visit_all(visitor)
        self.assertEqual(self.lab.origin_bytes() - before, len(self.files["small.txt"]))

    def test_the_patches_come_in_the_background(self):
        visitor = self.visitor_of_version_1()
        before = self.lab.origin_bytes()
        self.publish_update()
        got = visitor.visit(self.lab.site, ["/static/small.txt"])
        self.assertEqual(got["/static/small.txt"], (200, self.files["small.txt"]))
        patches = sum(len(patch) for patch in self.patches().values())
        wait_for("the patches", lambda: self.lab.origin_bytes(DELTA) == patches, 60)
        wait_for("the files", lambda: visitor.status()["cache"]["bytes"] >= 2 * (400_000 + 3_000_000), 60)
        self.visit_all(visitor)
        self.assertEqual(self.lab.origin_bytes() - before, len(self.files["small.txt"]))

    def test_the_patch_comes_from_another_visitor(self):
        self.lab.origin()
        one = self.lab.daemon("one")
        two = self.lab.daemon("two", peers=[one.address()])
        self.visit_all(one)
        self.visit_all(two)
        self.publish_update()
        self.visit_all(one)
        before = self.lab.origin_bytes(), self.lab.origin_bytes(DELTA)
        self.visit_all(two)
        self.assertEqual((self.lab.origin_bytes(), self.lab.origin_bytes(DELTA)), before)

    def test_patches_that_the_site_does_not_have(self):
        visitor = self.visitor_of_version_1()
        before = self.lab.origin_bytes()
        self.publish_update()
        shutil.rmtree(self.lab.web / DELTA[1:])
        self.visit_all(visitor)
        changed = sum(len(self.files[path]) for path in ("app.js", "sub/big.bin", "small.txt"))
        self.assertEqual(self.lab.origin_bytes() - before, changed)

    def test_an_old_file_that_is_not_what_it_was(self):
        visitor = self.visitor_of_version_1()
        self.publish_update()
        old = (self.old / "sub/big.bin").read_bytes()
        content = next(path for path in pathlib.Path(visitor.dir / "data/content").rglob("*") if path.is_file() and path.read_bytes() == old)
        with open(content, "r+b") as file:
            file.write(b"damage")
        self.visit_all(visitor)
        self.assertEqual(self.wrong_files(visitor), {})


if __name__ == "__main__":
    unittest.main()
