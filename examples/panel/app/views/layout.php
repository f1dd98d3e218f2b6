<?php
declare(strict_types=1);
namespace panel;

$pages = ['/' => ['gauge', 'Overview'], '/settings' => ['sliders', 'Settings'], '/log' => ['lines', 'Log'], '/firmware' => ['chip', 'Firmware']];
$signed_in = Session::$user !== '';
$here = preg_replace('~^/settings/.*~', '/settings', request_path());
?>
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title><?= e($title) ?> · <?= e($device) ?></title>
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<meta name="color-scheme" content="light dark">
<meta name="theme-color" content="#f5f6f3" media="(prefers-color-scheme: light)">
<meta name="theme-color" content="#0f1513" media="(prefers-color-scheme: dark)">
<?php if ($signed_in): ?>
<meta name="csrf" content="<?= e(Session::$csrf) ?>">
<?php endif ?>
<link rel="icon" type="image/svg+xml" href="/favicon.svg">
<link rel="stylesheet" href="<?= e(asset('/assets/panel.css')) ?>">
<noscript><link rel="stylesheet" href="<?= e(asset('/assets/noscript.css')) ?>"></noscript>
<script src="<?= e(asset('/assets/panel.js')) ?>" defer></script>
</head>
<body class="<?= $signed_in ? 'signed-in' : 'signed-out' ?>" data-page="<?= e($view) ?>">
<?php if ($signed_in): ?>
<a class="skip" href="#main">Skip to content</a>
<header class="bar">
  <div class="bar-inner">
    <a class="brand" href="/"><?= render('logo', []) ?><span><?= e($device) ?></span></a>
    <nav class="tabs" aria-label="Main">
<?php foreach ($pages as $path => [$icon, $label]): ?>
      <a href="<?= e($path) ?>"<?= $path === $here ? ' aria-current="page"' : '' ?>><?= icon($icon) ?><span><?= e($label) ?></span></a>
<?php endforeach ?>
    </nav>
    <form class="sign-out" method="post" action="/logout">
      <?= csrf_field() ?>
      <button class="quiet" type="submit" title="Sign out"><?= icon('exit') ?><span>Sign out</span></button>
    </form>
  </div>
</header>
<?php endif ?>
<main id="main" tabindex="-1">
<?php if (Session::$flash !== null && $signed_in): ?>
  <p class="notice <?= e(Session::$flash['kind']) ?>" role="status"><?= icon(Session::$flash['kind'] === 'good' ? 'check' : 'alert') ?><span><?= e(Session::$flash['text']) ?></span></p>
<?php endif ?>
<?= $body ?>
</main>
</body>
</html>
